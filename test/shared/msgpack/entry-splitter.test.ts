// Runs with bad entries, cut at every byte and in every piece.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { type Cut, EntrySplitter, type Rest } from '#shared/msgpack/entry-splitter.ts';

const entry = (log: unknown, time: unknown = 1): Buffer => Buffer.from(encode([time, { log }]));
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const A = entry('a');
const B = entry('bb');
const nested = (depth: number): Buffer => Buffer.concat([Buffer.alloc(depth, 0x91), hex('c0')]);

const withMetadata = (metadata: object): Buffer => Buffer.from(encode([[1, metadata], { log: 'a' }]));
/** A map with so many containers within each other. */
const deepMap = (depth: number): Buffer => Buffer.concat([hex('81 a161'), nested(depth)]);
const deepEntry = (depth: number): Buffer => Buffer.concat([hex('92 01'), deepMap(depth)]);
const deepMetadata = (depth: number): Buffer => Buffer.concat([hex('92 92 01'), deepMap(depth), hex('80')]);

interface Found {
  readonly cuts: Cut[];
  readonly rest: Rest | null;
}

function cutAll(pieces: readonly Buffer[], entryBytesMax = 1000): Found {
  const found = cutBy(new EntrySplitter(entryBytesMax), pieces, (cut) => cut);
  // What is lent is the same as long as it is valid.
  const lends = new EntrySplitter(entryBytesMax, { lends: true });
  assert.deepEqual(cutBy(lends, pieces, copied), found);
  // And so is what is looked through as it comes, and what is only counted.
  for (const heldBytesMax of [22, 40]) {
    const looked = cutBy(new EntrySplitter(entryBytesMax, { lends: true, heldBytesMax }), pieces, copied);
    assert.equal(told(looked), told(found), `looked through from ${heldBytesMax} bytes on`);
    assert.deepEqual(bytesOf(looked), bytesOf(found));
    const counts = { lends: true, counts: true, heldBytesMax };
    assert.equal(told(cutBy(new EntrySplitter(entryBytesMax, counts), pieces, copied)), told(found), 'counted');
  }
  return found;
}

const copied = (cut: Cut): Cut => ({ ...cut, bytes: Buffer.from(cut.bytes) });

function cutBy(cutter: EntrySplitter, pieces: readonly Buffer[], kept: (cut: Cut) => Cut): Found {
  const cuts: Cut[] = [];
  for (const piece of pieces) {
    // It may be written to again when it has been looked at.
    const lent = Buffer.from(piece);
    for (const cut of cutter.push(lent)) cuts.push(kept(cut));
    lent.fill(0xc1);
  }
  const end = cutter.end();
  for (;;) {
    const { done, value } = end.next();
    if (done === true) return { cuts, rest: value };
    cuts.push(kept(value));
  }
}

/** `E2 B1 R5`: two entries, one bad value, a rest of five bytes. */
function told({ cuts, rest }: Found): string {
  const words: string[] = [];
  let last = '';
  let count = 0;
  const flush = (): void => void (count > 0 && words.push(`${last}${count}`));
  for (const cut of cuts) {
    const kind = cut.kind === 'entries' ? 'E' : 'B';
    if (kind !== last) {
      flush();
      count = 0;
    }
    last = kind;
    count += cut.count;
  }
  flush();
  if (rest) words.push(`R${rest.size}`);
  return words.join(' ');
}

const bytesOf = ({ cuts, rest }: Found): Buffer =>
  Buffer.concat([...cuts.map(({ bytes }) => bytes), ...(rest ? [rest.bytes] : [])]);

function check(what: string, bytes: Buffer, expected: string, entryBytesMax?: number): void {
  test(what, () => {
    const whole = cutAll([bytes], entryBytesMax);
    assert.equal(told(whole), expected);
    for (let at = 0; at <= bytes.length; at += 1 + Math.floor(bytes.length / 400)) {
      assert.equal(told(cutAll([bytes.subarray(0, at), bytes.subarray(at)], entryBytesMax)), expected, `cut at ${at}`);
    }
    const single = cutAll(
      Array.from(bytes, (_, i) => bytes.subarray(i, i + 1)),
      entryBytesMax,
    );
    assert.equal(told(single), expected, 'byte by byte');
    if (entryBytesMax === undefined) {
      assert.deepEqual(bytesOf(whole), bytes);
      assert.deepEqual(bytesOf(single), bytes);
    }
  });
}

test('a lent cut is the same where pieces are joined in the scratch buffer', () => {
  const run = Buffer.concat(Array.from({ length: 400 }, (_, i) => entry('x'.repeat(i * 3))));
  for (const size of [4095, 5000, 20_000, 300_000]) {
    const pieces = Array.from({ length: Math.ceil(run.length / size) }, (_, i) =>
      run.subarray(i * size, (i + 1) * size),
    );
    assert.deepEqual(bytesOf(cutAll(pieces, 10_000)), run);
  }
});

check('nothing', Buffer.alloc(0), '');
check('entries', Buffer.concat([A, B, A]), 'E3');
check('a nil between', Buffer.concat([A, hex('c0'), B]), 'E1 B1 E1');
check(
  'values of all kinds that are no entries',
  Buffer.concat([hex('c0 01 a161 93010203 80 920101 9280 80'), A]),
  'B7 E1',
);
check('an entry whose record is no map', Buffer.concat([A, entry('x').fill(0xc0, 2, 3).subarray(0, 3), B]), 'E1 B1 E1');
check('entries with metadata', Buffer.concat([withMetadata({}), A, withMetadata({ a: [1, { b: 'c' }] }), B]), 'E4');
check('metadata that is no map', Buffer.concat([A, hex('92 92 01 93 010203 80'), B]), 'E1 B1 E1');
check(
  'a record behind metadata that is no map',
  Buffer.concat([A, hex('92 92 01 81 a161 01 93 010203'), B]),
  'E1 B1 E1',
);
check('metadata with a byte that no value begins with', Buffer.concat([A, hex('92 92 01 81 a161 c1 80')]), 'E1 R8');
check('an entry as deep as it may be', Buffer.concat([A, deepEntry(98), B]), 'E3');
check('an entry that is a level too deep', Buffer.concat([A, deepEntry(99), B]), 'E1 B1 E1');
check('metadata as deep as it may be', Buffer.concat([A, deepMetadata(97), B]), 'E3');
check('metadata that is a level too deep', Buffer.concat([A, deepMetadata(98), B]), 'E1 B1 E1');
check('a torn end', Buffer.concat([A, B.subarray(0, 3)]), 'E1 R3');
check('a torn bad value', Buffer.concat([A, hex('93 01')]), 'E1 R2');
check('a byte that no value begins with', Buffer.concat([A, hex('c1'), B]), `E1 R${1 + B.length}`);
check('such a byte within a record', Buffer.concat([A, hex('92 01 81 c1 01'), B]), `E1 R${5 + B.length}`);
check('a length of 4 GiB', Buffer.concat([A, hex('92 01 81 a161 dbffffffff 00'), B]), `E1 R${11 + B.length}`);
check('zeros of a file that was not written to its end', Buffer.concat([A, Buffer.alloc(7)]), 'E1 B7');
check('too deep, with an end', Buffer.concat([A, nested(150), B]), 'E1 B1 E1');
check('too deep, without an end', Buffer.concat([A, nested(150).subarray(0, 150)]), 'E1 R150');
check('deeper than is passed over', Buffer.concat([A, nested(4200)]), `E1 R4201`, 10_000);
check('an entry that is too large', Buffer.concat([A, entry('x'.repeat(90)), B]), 'E1 B1 E1', 50);
check('an entry that is just not too large', Buffer.concat([A, entry('x'.repeat(90)), B]), 'E3', 99);
check('an entry that is a byte too large', Buffer.concat([A, entry('x'.repeat(90)), B]), 'E1 B1 E1', 98);
check('a large value that is no entry', Buffer.concat([A, Buffer.from(encode('x'.repeat(90))), B]), 'E1 B1 E1', 50);
check('too large and torn', Buffer.concat([A, entry('x'.repeat(90)).subarray(0, 80)]), 'E1 R80', 50);

test('of a value that is too large, its beginning is kept and it says so', () => {
  const large = entry('x'.repeat(90));
  const [, bad] = cutAll([A, large.subarray(0, 60), large.subarray(60), B], 50).cuts;
  assert.deepEqual(bad, {
    kind: 'bad',
    bytes: large.subarray(0, 50),
    count: 1,
    why: 'it is larger than 50 bytes',
    cut: true,
  });
});

test('of a rest that is too large, its beginning is kept', () => {
  const { rest } = cutAll([A, hex('c1'), Buffer.alloc(100, 7), Buffer.alloc(100, 8)], 50);
  assert.equal(rest?.size, 201);
  assert.deepEqual(rest.bytes, Buffer.concat([hex('c1'), Buffer.alloc(49, 7)]));
});

test('a run that is cut at any byte: exactly the whole entries before it, and the tail', () => {
  const lengths = fc.array(fc.integer({ min: 0, max: 80 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(lengths, (sizes) => {
      const entries = sizes.map((size, i) => entry('x'.repeat(size), i));
      const run = Buffer.concat(entries);
      for (let at = 0; at <= run.length; at += 1) {
        let whole = 0;
        let end = 0;
        for (const { length } of entries) {
          if (end + length > at) break;
          end += length;
          whole += 1;
        }
        const tail = at - end;
        const expected = [whole > 0 && `E${whole}`, tail > 0 && `R${tail}`].filter(Boolean).join(' ');
        assert.equal(told(cutAll([run.subarray(0, at)])), expected);
      }
    }),
    { numRuns: 40 },
  );
});

test('any bytes in any pieces: the same cuts, of all bytes, in order', () => {
  const parts = fc.oneof(
    fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
    fc.string({ maxLength: 60 }).map((log) => entry(log)),
    fc.constantFrom(hex('c0'), hex('c1'), nested(120), hex('9201 80'), hex('92'), withMetadata({ a: 'b' })),
  );
  const runs = fc.array(parts, { maxLength: 12 }).map((list) => Buffer.concat(list));
  fc.assert(
    fc.property(runs, fc.array(fc.nat(400), { maxLength: 6 }), (run, places) => {
      const at = [0, ...places.filter((place) => place <= run.length).sort((a, b) => a - b), run.length];
      const pieces = at.slice(1).map((end, i) => run.subarray(at[i], end));
      const whole = cutAll([run]);
      const pieced = cutAll(pieces);
      assert.equal(told(pieced), told(whole));
      assert.deepEqual(bytesOf(whole), run);
      assert.deepEqual(bytesOf(pieced), run);
    }),
    { numRuns: 2000 },
  );
});

test('many values that are nested too deep: nothing is copied or made for each', (t) => {
  const deep = nested(101);
  const large = entry('x'.repeat(300_000));
  for (const lends of [false, true]) {
    const run = Buffer.concat([A, large, ...Array.from({ length: 20_000 }, () => deep), B]);
    let copied = 0;
    const concat = t.mock.method(Buffer, 'concat', counted(Buffer.concat));
    const from = t.mock.method(Buffer, 'from', counted(Buffer.from));
    function counted<A extends unknown[]>(make: (...args: A) => Buffer): (...args: A) => Buffer {
      return (...args) => {
        const made = Reflect.apply(make, Buffer, args);
        copied += made.length;
        return made;
      };
    }
    const stacks = t.mock.method(globalThis, 'Float64Array');
    const cutter = new EntrySplitter(1024 * 1024, { lends });
    let entries = 0;
    let bad = 0;
    for (let at = 0; at < run.length; at += 700_000) {
      for (const cut of cutter.push(run.subarray(at, at + 700_000))) {
        if (cut.kind === 'bad') bad += cut.count;
        else entries += cut.count;
      }
    }
    const { value: rest } = cutter.end().next();
    for (const mock of [concat, from, stacks]) mock.mock.restore();
    assert.deepEqual([entries, bad, rest ?? null], [3, 20_000, null]);
    assert.ok(copied <= 2 * run.length, `${copied} bytes were copied of ${run.length}`);
    assert.ok(stacks.mock.callCount() <= 1, `${stacks.mock.callCount()} stacks were made`);
  }
});
