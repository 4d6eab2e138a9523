// What reading may cost: answers at once, their time, readers that take nothing, and readers that leave.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { MemoryShares } from '../../../services/sluice/read/bounds/memory-shares.ts';
import { ReadSlots } from '../../../services/sluice/read/bounds/slots.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { bearer, LINES, RunningApi, search } from './running-api.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-read-limits-'));
after(() => rmSync(folder, { recursive: true }));

const OPEN = /^sluice_reads_open\{kind="searches"\} (\d+)/m;
const TAILS = /^sluice_reads_open\{kind="tails"\} (\d+)/m;
const ended = (endpoint: string, outcome: string): RegExp =>
  new RegExp(`^sluice_reads_total\\{endpoint="${endpoint}",outcome="${outcome}"\\} (\\d+)`, 'm');

async function until(is: () => Promise<boolean>): Promise<void> {
  while (!(await is())) await delay(5);
}

/** Whether it is, after half a second at most. */
async function isSoon(is: () => Promise<boolean>): Promise<boolean> {
  for (let look = 0; look < 100; look++) {
    if (await is()) return true;
    await delay(5);
  }
  return false;
}

let sockets = 0;
/** A unix socket holds little, and so its reader is soon waited for. */
const small = () => ({ SLUICE_READ_LISTEN: `unix:${join(folder, `${sockets++}.sock`)}` });
/** More than it holds. */
const LARGE = Array.from({ length: 200 }, (_, n) => ({ message: `${n}.`, attributes: { blob: '-'.repeat(20_000) } }));

/** The answer has begun, and is read no further. */
async function unread(api: RunningApi): Promise<IncomingMessage> {
  const response = await api.begin(search('', { limit: '1000' }), LINES);
  response.pause();
  return response;
}

test('so many searches at once; a reader that takes nothing holds its own and no memory', async () => {
  await using api = await RunningApi.open({ env: { ...small(), SLUICE_READ_SEARCHES_MAX: '2' } });
  await api.write(LARGE);
  const first = await unread(api);
  const second = await unread(api);
  const busy = await api.ask('search');
  assert.deepEqual(
    [busy.status, JSON.parse(busy.body).error.code, busy.headers['retry-after']],
    [429, 'searches_full', '2'],
  );
  assert.equal(await api.metric(OPEN), 2);
  first.destroy();
  await until(async () => (await api.metric(OPEN)) === 1);
  assert.equal((await api.ask(search('', { limit: '1' }))).status, 200);
  // What waited comes whole.
  let lines = 0;
  for await (const chunk of second.resume()) lines += String(chunk).split('\n').length - 1;
  assert.equal(lines, LARGE.length);
  await until(async () => (await api.metric(OPEN)) === 0);
  assert.equal(await api.metric(ended('search', 'left')), 1);
  assert.equal(await api.metric(ended('search', 'busy')), 1);
});

test('a reader that takes nothing is closed after a while, and that is counted', async () => {
  const clock = new VirtualClock();
  await using api = await RunningApi.open({ clock, env: small() });
  await api.write(LARGE);
  const response = await unread(api);
  const closed = new Promise<string>((resolve) => {
    response.on('error', ({ message }) => resolve(message));
    response.on('end', () => resolve('whole'));
  });
  // Its socket is full by now, or soon.
  await until(async () => {
    await clock.advance(5000);
    return (await api.metric(ended('search', 'unread'))) === 1;
  });
  response.resume();
  assert.equal(await closed, 'aborted');
  assert.equal(await api.metric(OPEN), 0);
});

test('so is one that takes all but the last of an answer, for which nothing more is done', async () => {
  const clock = new VirtualClock();
  await using api = await RunningApi.open({ clock, env: small() });
  await api.write(LARGE.slice(0, 40));
  const closed: Error[] = [];
  // What the system and Node hold is not the same everywhere: a little more is waited for by whoever makes the answer.
  for (let limit = 6; closed.length === 0; limit += 2) {
    const response = await api.begin(search('', { limit: String(limit) }), LINES);
    response.pause().on('error', (error) => closed.push(error));
    if (!(await isSoon(async () => (await api.metric(OPEN)) === 0))) {
      response.removeAllListeners('error').on('error', () => undefined);
      response.destroy();
      await until(async () => (await api.metric(OPEN)) === 0);
      limit -= 3;
      continue;
    }
    for (let passed = 0; passed < 60_000; passed += 5000) await clock.advance(5000);
    response.resume();
    while (!response.closed) await delay(1);
    assert.equal(await api.metric(ended('search', 'unread')), 0);
  }
  assert.deepEqual(
    closed.map(({ message }) => message),
    ['aborted'],
  );
});

test('a search that takes too long ends, and says so where it can', async () => {
  const clock = new VirtualClock();
  await using api = await RunningApi.open({ clock, env: { ...small(), SLUICE_READ_TIMEOUT_MS: '1000' } });
  await api.write(LARGE);
  const response = await unread(api);
  await clock.advance(1000);
  await until(async () => (await api.metric(ended('search', 'timeout'))) === 1);
  await assert.rejects(async () => {
    for await (const _ of response.resume());
  }, /aborted/);
  // One that has not begun.
  const asked = api.ask(search('* | count by blob'));
  await until(async () => (await api.metric(OPEN)) === 1);
  await clock.advance(1000);
  const { status, body } = await asked;
  assert.deepEqual([status, JSON.parse(body).error.code], [503, 'search_timeout']);
  await until(async () => (await api.metric(OPEN)) === 0);
});

test('readers of tails that come and go; each gets what comes, once', async () => {
  await using api = await RunningApi.open({ env: { SLUICE_READ_TAILS_MAX: '4' } });
  await api.write([{ message: 'before 1' }, { message: 'before 2' }]);
  const tails = await Promise.all(Array.from({ length: 4 }, () => api.begin('tail?last=1')));
  const told = tails.map(() => '');
  for (const [i, tail] of tails.entries()) tail.setEncoding('utf8').on('data', (chunk) => (told[i] += String(chunk)));
  const all = (text: string) => until(async () => told.every((each) => each.includes(text)));
  await all('before 2');
  assert.equal((await api.ask('tail')).status, 429);
  assert.equal(tails[0]?.headers['content-type'], 'text/event-stream; charset=utf-8');
  for (let n = 0; n < 20; n++) await api.write([{ message: `line ${n}.`, '@timestamp': new Date().toISOString() }]);
  await all('line 19.');
  for (const text of told) {
    const messages = [...text.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => JSON.parse(data).message);
    assert.deepEqual(messages, ['before 2', ...Array.from({ length: 20 }, (_, n) => `line ${n}.`)]);
  }
  for (const tail of tails) tail.on('error', () => undefined).destroy();
  await until(async () => (await api.metric(TAILS)) === 0);
  assert.equal(await api.metric(ended('tail', 'left')), 4);
  (await api.begin('tail')).on('error', () => undefined).destroy();
});

test('a slow reader of a tail misses nothing', async () => {
  await using api = await RunningApi.open({ env: small() });
  const tail = await api.begin('tail');
  const first = LARGE.map((document) => ({ ...document, '@timestamp': new Date().toISOString() }));
  await api.write(first);
  await api.write([{ message: 'last', '@timestamp': new Date().toISOString() }]);
  // Longer than a few polls.
  await delay(1000);
  let text = '';
  for await (const chunk of tail.setEncoding('utf8')) {
    text += String(chunk);
    if (text.slice(-1000).includes('"last"')) break;
  }
  const told = new Set(text.matchAll(/"message":"([^"]*)"/g).map(([, message]) => message));
  for (const { message } of LARGE) assert(told.has(message), message);
});

test('a stop tells the readers of tails, and waits for nobody', async () => {
  const api = await RunningApi.open({ env: small() });
  await api.write(LARGE);
  const stuck = await unread(api);
  stuck.on('error', () => undefined);
  const tail = await api.begin('tail');
  const told = (async () => {
    let text = '';
    for await (const chunk of tail) text += String(chunk);
    return text;
  })();
  await api[Symbol.asyncDispose]();
  assert.match(await told, /event: end\ndata: \{"error":\{"code":"shutting_down"/);
  stuck.destroy();
});

test('one holder has at most half where there are others', async () => {
  const path = join(folder, 'tokens.yaml');
  writeFileSync(path, '- { token: the-token-of-acme, tenant: acme }\n- { token: the-token-of-beta, tenant: beta }\n');
  await using api = await RunningApi.open({ env: { SLUICE_READ_TOKENS: path, SLUICE_READ_TAILS_MAX: '4' } });
  const mine = await Promise.all([1, 2].map(() => api.begin('tail', bearer('the-token-of-acme'))));
  assert.equal((await api.ask('tail', bearer('the-token-of-acme'))).status, 429);
  const other = await api.begin('tail', bearer('the-token-of-beta'));
  assert.equal(other.statusCode, 200);
  for (const tail of [...mine, other]) tail.on('error', () => undefined).destroy();
});

test('a slot is given back once', () => {
  const slots = new ReadSlots({ searches: 1, tails: 1 });
  const slot = slots.take('searches', 'a', false);
  assert.equal(slots.take('searches', 'b', false), null);
  slot?.[Symbol.dispose]();
  slot?.[Symbol.dispose]();
  assert.equal(slots.taken('searches'), 0);
  assert.notEqual(slots.take('searches', 'b', false), null);
  assert.equal(slots.take('searches', 'c', false), null);
});

test('answers that count or sort share what memory there is, and give it back', () => {
  const shares = new MemoryShares(1000);
  const first = shares.take();
  const second = shares.take();
  assert.deepEqual([first.bytes, second.bytes], [500, 250]);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  second[Symbol.dispose]();
  assert.equal(shares.take().bytes, 500);
});

test('rows that are not all are told', async () => {
  await using api = await RunningApi.open();
  await api.write(Array.from({ length: 5 }, (_, n) => ({ message: '', attributes: { n } })));
  for (const query of ['* | count by n', '* | fields n', '* | sort n']) {
    assert.deepEqual((await api.json(search(query, { limit: '3' }))).warnings, [
      'there may be more than 3 rows: give another limit',
    ]);
    assert.deepEqual((await api.json(search(query, { limit: '6' }))).warnings, []);
  }
});

test('a place that no document can have is a wrong parameter, and no failure', async () => {
  await using api = await RunningApi.open();
  for (const time of ['9223372036854775808', '-9999999999999999999', '9223372036854775807']) {
    const after = Buffer.from(JSON.stringify([time, 1, 1])).toString('base64url');
    const { status } = await api.ask(search('', { after }));
    assert.equal(status, time === '9223372036854775807' ? 200 : 400, time);
  }
});

test('hints are of the first fields of a query alone', async () => {
  await using api = await RunningApi.open();
  await api.write([{ message: 'one' }]);
  const query = Array.from({ length: 100 }, (_, n) => `absent${n}:x`).join(' OR ');
  const { hints } = await api.json(search(query));
  assert.equal(hints.length, 20);
});
