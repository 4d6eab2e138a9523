// `sluice logs -f` by the read API: nothing is lost and nothing comes twice, whatever ends the connection.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '#shared/clock.ts';
import { run } from '../../../services/sluice/commands/logs.ts';
import { Arrivals } from '../../../services/sluice/remote/arrivals.ts';
import { ReadClient } from '../../../services/sluice/remote/read-client.ts';
import { RemoteStore } from '../../../services/sluice/remote/remote-store.ts';
import { Page } from '../command-runner.ts';
import { RunningApi } from '../read/running-api.ts';

/** Stands between, and can cut. */
class Between implements AsyncDisposable {
  port = 0;
  to = 0;
  accepted = 0;
  readonly #open = new Set<Socket>();
  readonly #server = createServer((socket) => {
    this.accepted += 1;
    if (this.to === 0) return void socket.destroy();
    const on = connect(this.to, '127.0.0.1');
    for (const one of [socket, on]) {
      this.#open.add(one);
      one.on('error', () => undefined).on('close', () => (socket.destroy(), on.destroy()));
    }
    socket.pipe(on).pipe(socket);
  });

  static async start(to: number): Promise<Between> {
    const between = new Between();
    between.to = to;
    await new Promise<void>((resolve) => between.#server.listen(0, '127.0.0.1', resolve));
    between.port = (between.#server.address() as { port: number }).port;
    return between;
  }

  cut(): void {
    for (const socket of this.#open) socket.destroy();
    this.#open.clear();
  }

  /** The next connection. */
  async next(): Promise<void> {
    await once(this.#server, 'connection');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const now = (): string => new Date().toISOString();
const lines = (count: number, name: string) =>
  Array.from({ length: count }, (_, n) => ({
    message: `${name} ${n}.`,
    '@timestamp': now(),
    container: { name: 'web' },
  }));
const texts = (count: number, name: string): string[] => lines(count, name).map(({ message }) => message);

function follow(api: RunningApi, port: number, args: readonly string[]) {
  const [stdout, stderr, stop] = [new Page(), new Page(), new AbortController()];
  const config = { ...api.config, 'data.dir': '/nowhere', 'read.url': `http://127.0.0.1:${port}` };
  const exit = run(['-f', ...args], { config, stdout, stderr, signal: stop.signal, clock: systemClock });
  return {
    stdout,
    stderr,
    /** Of standard output, when it has ended. */
    async lines(): Promise<string[]> {
      stop.abort('SIGTERM');
      assert.equal(await exit, 0);
      return stdout.text.trimEnd().split('\n');
    },
  };
}

test('over connections that are cut again and again, and at the seam', async () => {
  await using api = await RunningApi.open();
  await using between = await Between.start(api.port);
  await api.write(lines(300, 'old'));
  const followed = follow(api, between.port, ['web']);
  const expected = texts(300, 'old');
  await followed.stdout.shows('old 299.');
  for (let i = 0; i < 40; i++) {
    await api.write(lines(i % 4 === 0 ? 400 : 7, `new ${i}`));
    expected.push(...texts(i % 4 === 0 ? 400 : 7, `new ${i}`));
    await delay(i % 7);
    if (i % 3 > 0) continue;
    // Now and then it is to be there again before more comes; otherwise several cuts fall into one pause.
    const isBack = i % 12 === 0 ? between.next() : null;
    between.cut();
    await isBack;
  }
  await followed.stdout.shows('new 39 6.');
  assert.deepEqual(await followed.lines(), expected);
  assert(between.accepted > 3, 'it was cut');
});

test('over a restart there, with what came meanwhile; and says that it waits', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-follow-'));
  const expected: string[] = [];
  const first = await RunningApi.open({ folder });
  await using between = await Between.start(first.port);
  const followed = follow(first, between.port, ['--since', '1h']);
  const write = async (api: RunningApi, name: string): Promise<void> => {
    await api.write(lines(1200, name));
    expected.push(...texts(1200, name));
  };
  await write(first, 'before');
  await followed.stdout.shows('before 1199.');
  between.to = 0;
  between.cut();
  await followed.stderr.shows('still trying');
  await write(first, 'while it was not reached');
  await first[Symbol.asyncDispose]();
  {
    await using second = await RunningApi.open({ folder, firstBatch: 100 });
    await write(second, 'started again');
    between.to = second.port;
    await write(second, 'after');
    await followed.stdout.shows('after 1199.');
    assert.deepEqual(await followed.lines(), expected);
    assert.match(
      followed.stderr.text,
      /^sluice: Cannot ask the read API at http:\/\/127.0.0.1:\d+: [^\n]*; still trying\n$/,
    );
  }
  await rm(folder, { recursive: true });
});

test('a reader that takes nothing for long loses nothing', async () => {
  await using api = await RunningApi.open();
  const { arrived, store } = await remoteOf(api);
  await using _close = store;
  const { place } = await arrived({}, null);
  // More than is read ahead, and more than the connection takes.
  const large = lines(6000, 'large').map((line) => ({ ...line, attributes: { more: 'x'.repeat(5000) } }));
  for (let i = 0; i < 6000; i += 500) await api.write(large.slice(i, i + 500));
  const found: unknown[] = [];
  for (let at = place; found.length < 6000;) {
    const next = await arrived({}, at);
    found.push(...next.documents.map(({ source }) => source['message']));
    at = next.place;
  }
  assert.deepEqual(found, texts(6000, 'large'));
});

test('a store that was begun anew there is followed from where it had got to', async () => {
  const asked: unknown[] = [];
  const event = (place: number, id: string): string =>
    `id: ${place}\ndata: ${JSON.stringify({ id, index: 'i', sort: ['1', 1, place], source: {} })}\n\n`;
  const begun = (place: number): string => `: following\nid: ${place}\n\n`;
  const answers = [begun(1000), `${begun(3)}${event(4, 'a')}${event(5, 'b')}`, `${begun(5)}${event(6, 'c')}`];
  const server = createHttpServer((request, response) => {
    asked.push(request.headers['last-event-id']);
    response.end(answers[asked.length - 1] ?? begun(6));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const client = new ReadClient({
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      clock: systemClock,
    });
    using _client = client;
    using arrivals = new Arrivals({ client, clock: { ...systemClock, sleep: () => Promise.resolve() } });
    const found: string[] = [];
    for (let { place } = await arrivals.arrived({}, null); found.length < 3;) {
      const next = await arrivals.arrived({}, place);
      found.push(...next.documents.map(({ id }) => id));
      place = Math.max(place, next.place);
    }
    assert.deepEqual(found, ['a', 'b', 'c']);
    assert.deepEqual(asked.slice(0, 3), [undefined, '1000', '5']);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

async function remoteOf(api: RunningApi) {
  const client = new ReadClient({ url: `http://127.0.0.1:${api.port}`, clock: systemClock });
  const store = await RemoteStore.open({ client, clock: systemClock, warn: assert.fail });
  assert(store.arrived);
  return { arrived: store.arrived, store };
}
