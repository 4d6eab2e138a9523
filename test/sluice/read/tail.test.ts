// What a tail tells: what came after it began, all of it, once, at any rate; and what came while its reader was away.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { VirtualClock } from '#test/memory/clock.ts';
import { bearer, RunningApi } from './running-api.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-read-tail-'));
after(() => rmSync(folder, { recursive: true }));

const ACME = 'the-token-of-acme';
const BETA = 'the-token-of-beta';

const now = (): string => new Date().toISOString();
const lines = (count: number, name: string) =>
  Array.from({ length: count }, (_, n) => ({ message: `${name} ${n}.`, '@timestamp': now() }));

class TailReader {
  text = '';
  #end: () => void = () => undefined;

  static async begin(api: RunningApi, query: string, lastId?: string): Promise<TailReader> {
    const reader = new TailReader();
    const headers = lastId === undefined ? {} : { 'last-event-id': lastId };
    const response = await api.begin(`tail${query}`, { headers });
    response.setEncoding('utf8').on('data', (chunk) => (reader.text += String(chunk)));
    response.on('error', () => undefined);
    reader.#end = () => response.destroy();
    await reader.until((text) => text.includes('following'));
    return reader;
  }

  get messages(): string[] {
    return [...this.text.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => JSON.parse(data).message);
  }

  get lastId(): string {
    return [...this.text.matchAll(/^id: (\d+)$/gm)].at(-1)?.[1] ?? '';
  }

  async until(is: (text: string) => boolean): Promise<void> {
    while (!is(this.text)) await delay(5);
  }

  end(): void {
    this.#end();
  }
}

test('what is there is not told, however much came just before; what comes is, once', async () => {
  await using api = await RunningApi.open();
  // More than could be remembered by id.
  for (let i = 0; i < 6; i++) await api.write(lines(10_000, `old ${i}`));
  const tail = await TailReader.begin(api, '');
  for (let i = 0; i < 2; i++) await api.write(lines(10_000, `new ${i}`));
  await tail.until((text) => text.includes('new 1 9999.'));
  const { messages } = tail;
  assert.equal(messages.length, 20_000);
  assert.equal(new Set(messages).size, 20_000);
  assert(messages.every((message) => message.startsWith('new')));
  tail.end();
});

test('whoever comes back gets what came meanwhile', async () => {
  await using api = await RunningApi.open();
  await api.write(lines(3, 'old'));
  const first = await TailReader.begin(api, '?last=2');
  await api.write(lines(2, 'seen'));
  await first.until((text) => text.includes('seen 1.'));
  assert.deepEqual(first.messages, ['old 1.', 'old 2.', 'seen 0.', 'seen 1.']);
  const { lastId } = first;
  first.end();
  await api.write(lines(1200, 'missed'));
  // The last ones were told.
  const second = await TailReader.begin(api, '?last=2', lastId);
  await api.write(lines(1, 'then'));
  await second.until((text) => text.includes('then 0.'));
  assert.deepEqual(second.messages, [...lines(1200, 'missed').map(({ message }) => message), 'then 0.']);
  second.end();
  // A place where this store has not been yet, and what is none: from now on.
  for (const id of ['999999999999', '-1', 'x', '1'.repeat(300)]) {
    const third = await TailReader.begin(api, '', id);
    await api.write(lines(1, `of ${id}`));
    await third.until((text) => text.includes(`of ${id} 0.`));
    assert.deepEqual(third.messages, [`of ${id} 0.`]);
    third.end();
  }
});

test('of one container, and of a query, whatever times lines tell', async () => {
  await using api = await RunningApi.open();
  const tail = await TailReader.begin(api, '?name=web&q=status:500');
  const times = ['2020-01-01T00:00:00Z', '2040-01-01T00:00:00Z', now()];
  for (const [n, time] of times.entries())
    for (const name of ['web', 'db'])
      for (const status of [200, 500])
        await api.write([
          { message: `${name} ${status} ${n}`, '@timestamp': time, container: { name }, attributes: { status } },
        ]);
  await tail.until((text) => text.includes('web 500 2'));
  assert.deepEqual(tail.messages, ['web 500 0', 'web 500 1', 'web 500 2']);
  tail.end();
});

test('at the seam between what is there and what comes, nothing is missing and nothing is there twice', async () => {
  await using api = await RunningApi.open();
  await api.write(lines(300, 'old'));
  const writing = (async () => {
    for (let i = 0; i < 30; i++) await api.write(lines(20, `new ${i}`));
  })();
  const tails: TailReader[] = [];
  for (let i = 0; i < 8; i++) tails.push(await TailReader.begin(api, '?last=1000'));
  await writing;
  for (const tail of tails) {
    await tail.until((text) => text.includes('new 29 19.'));
    const { messages } = tail;
    assert.equal(new Set(messages).size, messages.length);
    assert.equal(messages.length, 900);
    tail.end();
  }
});

test('a tail ends when the token of its reader is taken away', async () => {
  const clock = new VirtualClock();
  const env = { SLUICE_READ_TOKENS: join(folder, 'tokens.yaml') };
  writeFileSync(env.SLUICE_READ_TOKENS, `- { token: ${ACME}, tenant: acme }\n- { token: ${BETA}, tenant: beta }\n`);
  await using api = await RunningApi.open({ env, clock });
  const told = api.begin('tail', bearer(ACME)).then(text);
  const other = await api.begin('tail', bearer(BETA));
  while ((await api.metric(/^sluice_reads_open\{kind="tails"\} (\d+)/m)) < 2) await delay(5);
  writeFileSync(
    env.SLUICE_READ_TOKENS,
    `- { token: ${BETA}, tenant: beta }\n# longer than before, so that it is seen\n`,
  );
  await clock.advance(3000);
  await clock.advance(5000);
  assert.match(await told, /event: end\ndata: \{"error":\{"code":"unauthorized"/);
  assert.equal(await api.metric(/^sluice_reads_open\{kind="tails"\} (\d+)/m), 1);
  other.on('error', () => undefined).destroy();
});
