// How long an answer to `_bulk` is, and that clients can do with it: one that reads 512 KiB and not a byte more, as
// fluent-bit does, and Elastic's own.

import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { Client } from '@elastic/elasticsearch';
import fastify from 'fastify';
import { type BulkReader, bulkAnswer, bulkReaderOf } from '#forwarder/dialects/elasticsearch/answers.ts';
import type { BulkRefusal, BulkTable } from '#forwarder/dialects/elasticsearch/bulk-table.ts';
import { BulkTableWriter } from '#forwarder/dialects/elasticsearch/bulk-table-writer.ts';
import { parseFilterPath } from '#forwarder/dialects/elasticsearch/filter-path.ts';
import { sendJsonPieces } from '#forwarder/dialects/elasticsearch/handshake.ts';
import { SluiceError } from '#shared/errors.ts';
import { Fixture } from '../accept/http/http-fixture.ts';

/** What fluent-bit's `es` output reads by default (`Buffer_Size 512k`), headers included. */
const FLUENT_BIT_READS = 512 * 1024;
const ITEMS = 10_000;

/** The answer's items if it could be read whole, as fluent-bit asks; null where it would send all again. */
async function readBounded(
  url: string,
  body: string,
  agent: string,
): Promise<{ errors: boolean; statuses: number[] } | null> {
  const headers = { 'content-type': 'application/x-ndjson', 'user-agent': agent };
  const { promise, resolve, reject } = Promise.withResolvers<string | null>();
  const sending = request(url, { method: 'POST', headers }, (response) => {
    let left = FLUENT_BIT_READS - response.rawHeaders.join('    ').length;
    const pieces: Buffer[] = [];
    response.on('data', (piece: Buffer) => {
      left -= piece.length;
      pieces.push(piece);
      if (left < 0) {
        response.destroy();
        resolve(null);
      }
    });
    response.on('end', () => resolve(Buffer.concat(pieces).toString()));
  });
  sending.on('error', reject).end(body);
  const text = await promise;
  if (text === null) return null;
  const answer: { errors: boolean; items: Record<string, { status: number }>[] } = JSON.parse(text);
  return { errors: answer.errors, statuses: answer.items.map((item) => Object.values(item)[0]?.status ?? 0) };
}

test('10,000 items: a client that reads 512 KiB has all of its answer', async () => {
  await using fixture = await Fixture.start();
  const url = `${fixture.url}/_bulk`;
  const body = '{"create":{"_index":"fluent-bit"}}\n{}\n'.repeat(6000);
  const created = await readBounded(url, body, 'curl');
  assert.deepEqual(created, { errors: false, statuses: Array.from({ length: 6000 }, () => 201) });
  const short = '{"create":{}}\n{}\n'.repeat(ITEMS);
  const all = await readBounded(`${fixture.url}/fluent-bit-with-a-long-name/_bulk`, short, 'Fluent-Bit');
  assert.deepEqual(all, { errors: false, statuses: Array.from({ length: ITEMS }, () => 201) });
});

test('refusals among many items are told, each by its status', async () => {
  await using fixture = await Fixture.start();
  fixture.intake.refuse = ({ tag }) =>
    tag === 'b' ? new SluiceError('queue_full', 'Cannot append: it is full') : null;
  const body = '{"create":{"_index":"a"}}\n{}\n{"create":{"_index":"b"}}\n{}\n'.repeat(4000);
  const answer = await readBounded(`${fixture.url}/_bulk`, body, 'curl');
  assert.deepEqual(answer, { errors: true, statuses: Array.from({ length: 8000 }, (_, i) => (i % 2 ? 429 : 201)) });
});

interface Items {
  readonly count: number;
  readonly refusal: BulkRefusal | null;
  readonly index: string;
}

/** `refusal`: null for items that are taken. */
const itemsOf = (count: number, refusal: BulkRefusal | null, index = 'app'): Items[] => [{ count, refusal, index }];

function tableOf(parts: readonly Items[]): BulkTable {
  const writer = new BulkTableWriter();
  const ofIndexes: BulkTable['ofIndexes'][number][] = [];
  for (const { count, refusal, index } of parts) {
    const action = { operation: 'create', index, id: null } as const;
    const number = refusal === null ? writer.groupOfIndex(index) : -1;
    if (refusal === null) ofIndexes.push({ number, entries: Buffer.alloc(0), count });
    for (let i = 0; i < count; i += 1) {
      if (refusal === null) writer.taken(action, number);
      else writer.refused(action, refusal);
    }
  }
  return writer.done(Buffer.alloc(0), ofIndexes);
}

const refused = { status: 400, type: 'document_parsing_exception', reason: 'Cannot read the document: '.repeat(4) };

/** Bytes of the answer, as sent. */
function answered(reader: BulkReader, items: readonly Items[]): { bytes: number; items: readonly object[] } {
  const pieces = [...bulkAnswer(1, tableOf(items), { outcomes: items.map(() => null), reader })];
  for (const piece of pieces) assert(piece.length < 80_000, 'a long answer is never there at once');
  const text = pieces.join('');
  return { bytes: text.length, items: JSON.parse(text).items };
}

test('the length of answers', () => {
  const check = (reader: BulkReader, items: readonly Items[], told: number) => {
    const answer = answered(reader, items);
    assert.equal(answer.items.length, told);
    return answer.bytes;
  };
  assert(check('other', itemsOf(ITEMS, null), ITEMS) < 262_144);
  assert(check('other', itemsOf(ITEMS, null, 'x'.repeat(255)), ITEMS) < 262_144);
  assert(check('other', itemsOf(ITEMS, refused), ITEMS) < FLUENT_BIT_READS - 16_384);
  assert(check('fluent-bit', itemsOf(ITEMS, refused), ITEMS) < FLUENT_BIT_READS - 16_384);
  // More than fit at all: of these fluent-bit wants to know what was refused.
  assert(check('fluent-bit', itemsOf(100_000, null), 0) < 100);
  assert(check('fluent-bit', [...itemsOf(99_999, null), ...itemsOf(1, refused)], 1) < 1000);
  // An answer of every length just below where it becomes shorter is within what fluent-bit reads.
  for (const count of [1000, 1700, 1800, 2000, 17_000, 17_600, 17_700, 18_000]) {
    assert(answered('fluent-bit', itemsOf(count, null)).bytes < FLUENT_BIT_READS - 16_384, `${count}`);
  }
});

test('between two pieces of an answer at most a thousand items are looked at, also if nothing is told of them', () => {
  const check = (reader: BulkReader, items: readonly Items[], outcome: unknown, paths = '') => {
    const filterPath = parseFilterPath(paths) ?? null;
    const options = { outcomes: items.map(() => outcome), reader, filterPath };
    const pieces = [...bulkAnswer(1, tableOf(items), options)];
    assert(pieces.length >= 100, `${pieces.length} pieces`);
  };
  const error = new SluiceError('queue_full', 'Cannot append: it is full');
  for (const reader of ['whole', 'other', 'fluent-bit'] as const) {
    check(reader, itemsOf(100_000, null), null);
    check(reader, itemsOf(100_000, refused), null);
    check(reader, itemsOf(100_000, null), null, 'errors');
    check(
      reader,
      Array.from({ length: 100_000 }, () => itemsOf(1, null)[0]!),
      error,
      'errors',
    );
  }
});

test('each piece of an answer is made in a turn of its own', async () => {
  let turns = 0;
  let pieces = 0;
  let atOnce = 0;
  const count = (): void => {
    turns += 1;
    if (pieces < 100) setImmediate(count);
  };
  function* slow(): Generator<string, void, undefined> {
    for (let before = turns; pieces < 100; before = turns) {
      pieces += 1;
      // Half of them, and one of more than is sent at once.
      yield pieces % 2 === 0 ? '' : 'x'.repeat(pieces === 21 ? 1_000_000 : 10);
      if (turns === before) atOnce += 1;
    }
  }
  await using app = fastify();
  app.get('/', (request, reply) =>
    sendJsonPieces(request, reply, { pieces: slow(), mayGoOn: () => Promise.resolve() }),
  );
  setImmediate(count);
  const { payload } = await app.inject('/');
  assert.equal(payload.length, 49 * 10 + 1_000_000);
  assert.equal(atOnce, 0);
});

test('the sums of the table are those of its items: of each run, refusal, index and id', () => {
  const writer = new BulkTableWriter();
  const run = writer.groupOfIndex('abc');
  writer.taken({ operation: 'index', index: 'abc', id: null }, run);
  writer.refused({ operation: 'create', index: 'defgh', id: '12' }, refused);
  writer.takenAlone({ operation: 'create', index: 'abc', id: '345' }, { crc32: 0, length: 1 }, 1);
  writer.refused({ operation: 'create', index: 'abc', id: null }, refused);
  const table = writer.done(Buffer.alloc(1), [{ number: run, entries: Buffer.alloc(1), count: 1 }]);
  assert.deepEqual([table.indexBytes, table.idCount, table.ids.length], [14, 2, 5]);
  assert.deepEqual([...table.refused], [2]);
  assert.equal(writer.aloneCount, 1);
});

test('what items say in long answers', () => {
  const many = itemsOf(ITEMS, null);
  assert.deepEqual(answered('other', many).items[0], { create: { status: 201 } });
  const whole = { create: { _index: 'app', _version: 1, result: 'created', status: 201 } };
  assert.deepEqual(answered('other', itemsOf(100, null)).items[0], whole);
  assert.deepEqual(answered('whole', many).items.at(-1), whole);
  const { status, type, reason } = refused;
  const refusals = answered('other', itemsOf(ITEMS, refused)).items;
  assert.deepEqual(refusals[0], { create: { status, error: { type, reason } } });
  assert.deepEqual(refusals.at(-1), { create: { status, error: {} } });
});

test('who reads', () => {
  assert.equal(bulkReaderOf({}), 'other');
  assert.equal(bulkReaderOf({ 'user-agent': 'Fluent-Bit' }), 'fluent-bit');
  assert.equal(bulkReaderOf({ 'user-agent': 'fluent-bit/4.1' }), 'fluent-bit');
  assert.equal(bulkReaderOf({ 'user-agent': 'Filebeat/9.5.0' }), 'other');
  assert.equal(bulkReaderOf({ 'user-agent': 'elastic-java', 'x-elastic-client-meta': 'es=9.1,jv=21' }), 'whole');
});

test("Elastic's own client reads long answers too, by itself and by its helper", async () => {
  await using fixture = await Fixture.start();
  const client = new Client({ node: fixture.url, maxRetries: 0 });
  try {
    const operations = Array.from({ length: 6000 }, () => [{ create: { _index: 'a' } }, {}]).flat();
    const answer = await client.bulk({ operations });
    assert.equal(answer.errors, false);
    assert.equal(answer.items.length, 6000);
    assert(answer.items.every(({ create }) => create?.status === 201 && create._index === 'a'));
    const datasource = Array.from({ length: 6000 }, (_, n) => ({ n }));
    const onDocument = () => ({ create: { _index: 'a' } });
    const stats = await client.helpers.bulk({ datasource, onDocument, flushBytes: 200_000, retries: 0 });
    assert.deepEqual([stats.successful, stats.failed], [6000, 0]);
  } finally {
    await client.close();
  }
});
