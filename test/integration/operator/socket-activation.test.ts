// The program with sockets that systemd would hand over: nobody who connects while it is started again is refused.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { decode, encode } from '@msgpack/msgpack';
import { freePort } from '#test/backends/free-port.ts';

const root = join(import.meta.dirname, '../../..');
const SOCKETS = ['forward:stream', 'forward:datagram', 'web:stream'];
const ATTEMPTS = 20;

/** Holds the sockets, as systemd does, and starts the program with them. */
class SocketHolder implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #pid: number | null = null;
  stderr = '';

  constructor(environment: Readonly<Record<string, string>>) {
    const program = [process.execPath, join(root, 'services/sluice/main.ts'), 'run'];
    const arguments_ = [join(import.meta.dirname, '../parts/socket-holder.py'), ...SOCKETS, '--', ...program];
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('SLUICE_'));
    const env = { ...Object.fromEntries(inherited), NODE_TEST_CONTEXT: undefined, ...environment };
    this.#child = spawn('python3', arguments_, { env, stdio: 'pipe' });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    assert(this.#child.stdout);
    // What the program itself prints comes on the same stream.
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async ports(): Promise<Record<string, number>> {
    return JSON.parse(await this.#line('ports ')) as Record<string, number>;
  }

  async start(): Promise<void> {
    this.#child.stdin?.write('start\n');
    this.#pid = Number(await this.#line('started '));
  }

  /** Asks the program to stop; resolves to its exit code. */
  async stop(whileStopping: () => void): Promise<number> {
    assert(this.#pid !== null);
    process.kill(this.#pid, 'SIGTERM');
    whileStopping();
    const code = Number(await this.#line('ended '));
    this.#pid = null;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#pid !== null) process.kill(this.#pid, 'SIGKILL');
    const closed = once(this.#child, 'close');
    this.#child.stdin?.end();
    await closed;
  }

  async #line(prefix: string): Promise<string> {
    for (;;) {
      const { value, done } = await this.#lines.next();
      assert(!done, `the holder ended: ${this.stderr}`);
      if (value.startsWith(prefix)) return value.slice(prefix.length);
    }
  }
}

/**
 * Sends one event by Forward. `connected`: as soon as the kernel has taken the connection; `ack`: what came, or null
 * without.
 */
function attempt(port: number, chunk: string): { connected: Promise<unknown>; ack: Promise<unknown> } {
  const socket = connect(port, '127.0.0.1');
  const ack = new Promise<unknown>((resolve) => {
    socket.once('data', (bytes: Buffer) => resolve(decode(bytes)));
    socket.once('close', () => resolve(null));
  }).finally(() => socket.destroy());
  socket.write(encode(['activation', 1_700_000_000, { chunk }, { chunk }]));
  const connected = once(socket, 'connect');
  socket.on('error', () => undefined);
  return { connected, ack };
}

async function heartbeat(port: number): Promise<Buffer> {
  const socket = createSocket('udp4');
  socket.send(Buffer.of(0), port, '127.0.0.1');
  const [answer] = (await once(socket, 'message')) as [Buffer];
  socket.close();
  return answer;
}

test('sockets of systemd: over a restart every connection attempt is served, by TCP, UDP and HTTP', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-data-'));
  try {
    await using holder = new SocketHolder({
      SLUICE_DATA_DIR: dataDir,
      SLUICE_FORWARD_LISTEN: 'systemd:forward',
      SLUICE_HTTP_LISTEN: 'systemd:web',
      SLUICE_ADMIN_LISTEN: `127.0.0.1:${await freePort()}`,
    });
    const { forward = 0, web = 0 } = await holder.ports();
    await holder.start();
    const post = (n: number) =>
      fetch(`http://127.0.0.1:${web}/activation`, { method: 'POST', body: `{"n":${n}}`, headers });
    const headers = { 'content-type': 'application/json' };
    assert.deepEqual(await attempt(forward, 'first').ack, { ack: 'first' });
    assert.deepEqual(await heartbeat(forward), Buffer.of(0));
    assert.equal((await post(1)).status, 200);

    const whileStopping: ReturnType<typeof attempt>[] = [];
    const code = await holder.stop(() => {
      for (let i = 0; i < ATTEMPTS; i++) whileStopping.push(attempt(forward, `stopping-${i}`));
    });
    assert.equal(code, 0, holder.stderr);
    await Promise.all(whileStopping.map(({ connected }) => connected));

    // Nobody is there now: the kernel takes the connections, and what they send.
    const between = Array.from({ length: ATTEMPTS }, (_, i) => attempt(forward, `between-${i}`));
    await Promise.all(between.map(({ connected }) => connected));
    const waiting = [post(2), heartbeat(forward)] as const;
    await holder.start();
    assert.deepEqual(
      await Promise.all(between.map(({ ack }) => ack)),
      Array.from({ length: ATTEMPTS }, (_, i) => ({ ack: `between-${i}` })),
    );
    assert.equal((await waiting[0]).status, 200);
    assert.deepEqual(await waiting[1], Buffer.of(0));
    // Those of the stop were either served before it, closed by it so that they come again, or are served now.
    for (const [i, { ack }] of whileStopping.entries()) {
      const answer = await ack;
      if (answer !== null) assert.deepEqual(answer, { ack: `stopping-${i}` });
    }
    assert.equal(await holder.stop(() => undefined), 0, holder.stderr);
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
});
