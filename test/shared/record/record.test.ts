import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decode, encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { type Batch, decodeBatches, encodeBatches, RECEIVED_MS_MAX, versionOfTable } from '#shared/record/record.ts';

const batch: Batch = {
  id: Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex'),
  first: 0,
  count: 3,
  tag: 'app.web',
  input: 'forward',
  tenant: null,
  receivedMs: 1_700_000_000_000,
  seq: 1_700_000_000_000_000,
  sender: '10.0.0.1',
  version: 2,
  chain: null,
};
const oldRow = [batch.id, 0, 3, 'app.web', 'forward', null, 1_700_000_000_000, 1_700_000_000_000_000, '10.0.0.1'];
const row = [...oldRow, null];
const chain = Buffer.alloc(16, 7);

test('is the table of docs/record-format.md', () => {
  assert.deepEqual(decode(encodeBatches([batch, { ...batch, tenant: 't', chain }])), [
    row,
    [...oldRow.with(5, 't'), chain],
  ]);
});

test('is the table of version 1 where its batches are of version 1', () => {
  const old: Batch = { ...batch, version: 1, first: 2 ** 40 };
  const table = encodeBatches([old, old]);
  assert.deepEqual(decode(table), [oldRow.with(1, 2 ** 40), oldRow.with(1, 2 ** 40)]);
  assert.deepEqual(decodeBatches(table), [old, old]);
  assert.deepEqual([versionOfTable(table), versionOfTable(encodeBatches([batch]))], [1, 2]);
  for (const none of [Buffer.alloc(0), Buffer.from('90', 'hex'), Buffer.from('9193', 'hex')])
    assert.equal(versionOfTable(none), 2);
});

test('comes back as it was', () => {
  const integer = fc.maxSafeNat();
  const arbitrary: fc.Arbitrary<Batch> = fc.record(
    {
      id: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes)),
      version: fc.constant(2),
      first: fc.nat(2 ** 31),
      count: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
      tag: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
      input: fc.constantFrom('forward', 'http'),
      tenant: fc.option(fc.string({ unit: 'grapheme' })),
      receivedMs: fc.nat(RECEIVED_MS_MAX),
      seq: integer,
      sender: fc.string({ unit: 'grapheme' }),
      chain: fc.option(fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes))),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(fc.array(arbitrary, { maxLength: 20 }), (batches) => {
      assert.deepEqual(decodeBatches(encodeBatches(batches)), batches);
    }),
  );
});

test('is read up to its limits', () => {
  const longest = 'é'.repeat(1024);
  const batches: Batch[] = [
    { ...batch, count: 2 ** 32, receivedMs: RECEIVED_MS_MAX, tag: 'é'.repeat(512) },
    { ...batch, input: longest, tenant: longest, sender: longest },
  ];
  assert.deepEqual(decodeBatches(encodeBatches(batches)), batches);
});

describe('a table that is none', () => {
  const check = (what: string, bytes: Uint8Array) => test(what, () => assert.equal(decodeBatches(bytes), null));

  check('nothing', Buffer.alloc(0));
  check('a map', encode({}));
  check('a row of eight', encode([row.slice(0, 8)]));
  check('a row of eleven', encode([[...row, null]]));
  check('rows of two versions', encode([row, oldRow]));
  check('a chain of 15 bytes', encode([row.with(9, Buffer.alloc(15))]));
  check('a chain that is a number', encode([row.with(9, 1)]));
  check('an index above 2^32 - 1', encode([row.with(1, 2 ** 32 - 2)]));
  check('a count above 2^32', encode([row.with(2, 2 ** 32 + 1)]));
  check('an id of 15 bytes', encode([row.with(0, Buffer.alloc(15))]));
  check('an id that is a text', encode([row.with(0, 'x'.repeat(16))]));
  check('a negative index', encode([row.with(1, -1)]));
  check('no entries', encode([row.with(2, 0)]));
  check('a fraction of an entry', encode([row.with(2, 1.5)]));
  check('a tag of 1,025 bytes', encode([row.with(3, 'x'.repeat(1025))]));
  check('a tag of 1,026 bytes in 513 letters', encode([row.with(3, 'é'.repeat(513))]));
  check('a tag that is a number', encode([row.with(3, 7)]));
  check('a tenant that is a number', encode([row.with(5, 7)]));
  check('a time beyond 2^53', encode([row.with(6, 2 ** 60)]));
  check('a time after the year 9999', encode([row.with(6, RECEIVED_MS_MAX + 1)]));
  check('a count above 2^32 in version 1', encode([oldRow.with(2, 2 ** 32 + 1)]));
  for (const [what, at] of [
    ['input', 4],
    ['tenant', 5],
    ['sender', 8],
  ] as const) {
    check(`its ${what} of 2,049 bytes`, encode([row.with(at, 'x'.repeat(2049))]));
    check(`its ${what} of 2,050 bytes in 1,025 letters`, encode([row.with(at, 'é'.repeat(1025))]));
  }
  check('a negative sequence', encode([row.with(7, -1)]));
  check('a byte left over', Buffer.concat([encodeBatches([batch]), Buffer.from([0xc0])]));
  check('4 G rows', Buffer.from('ddffffffff', 'hex'));
  const whole = encodeBatches([batch, batch]);
  for (const cut of [1, 10, whole.length - 1]) check(`cut at ${cut}`, whole.subarray(0, cut));
  const bad = Buffer.from(whole);
  bad.set([0xc3, 0x28], whole.indexOf('app.web'));
  check('a tag that is no UTF-8', bad);

  test('never throws', () => {
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, byte) => {
        const damaged = Buffer.from(whole);
        damaged[at] = byte;
        const batches = decodeBatches(damaged);
        assert.ok(batches === null || batches.length === 2 || damaged[0] !== whole[0]);
      }),
      { numRuns: 2000 },
    );
  });
});

test('a batch that breaks the format is our mistake', () => {
  assert.throws(() => encodeBatches([{ ...batch, count: 0 }]));
  assert.throws(() => encodeBatches([{ ...batch, id: Buffer.alloc(4) }]));
  assert.throws(() => encodeBatches([{ ...batch, chain: Buffer.alloc(4) }]));
  assert.throws(() => encodeBatches([{ ...batch, first: 2 ** 32 }]));
  assert.throws(() => encodeBatches([{ ...batch, version: 1, chain }]));
  assert.throws(() => encodeBatches([batch, { ...batch, version: 1 }]));
});
