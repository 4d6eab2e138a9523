import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { msgpackEntries } from '#forwarder/decode/http/msgpack-body.ts';
import { countEntries } from '#shared/msgpack/extents.ts';
import { OPTIONS, decoded, now, refused } from './http-entries.ts';

function check(values: unknown[], expected: unknown[], options = OPTIONS): void {
  const body = Buffer.concat(values.map((value) => (value instanceof Uint8Array ? value : encode(value))));
  assert.deepEqual(decoded(msgpackEntries(body, options)), expected);
}

function checkRefused(hex: string, at: number, why: RegExp): void {
  refused(msgpackEntries(Buffer.from(hex.replaceAll(' ', ''), 'hex'), OPTIONS), { at }, why);
}

test('maps, lists, entries', () => {
  check([], []);
  check([{}], [[now, {}]]);
  check([{ a: 1 }], [[now, { a: 1 }]]);
  check(
    [{ a: 1 }, { a: 2 }],
    [1, 2].map((a) => [now, { a }]),
  );
  check(
    [[{ a: 1 }, { a: 2 }]],
    [1, 2].map((a) => [now, { a }]),
  );
  check([[]], []);
  check([[7, { a: 1 }]], [[7, { a: 1 }]]);
  check(
    [[[7, { a: 1 }], [8.5, { a: 2 }], { a: 3 }]],
    [
      [7, { a: 1 }],
      [8.5, { a: 2 }],
      [now, { a: 3 }],
    ],
  );
  check([[[[7, { m: 1 }], { a: 1 }]]], [[[7, { m: 1 }], { a: 1 }]]);
  check([Buffer.from('92d7000000000100000002', 'hex'), { a: 1 }], [['1.000000002', { a: 1 }]]);
  check(
    [Array.from({ length: 70_000 }, () => ({}))],
    Array.from({ length: 70_000 }, () => [now, {}]),
  );
});

test("entries of Forward protocol v1.5 one after another, as fluent-bit's http output sends them", () => {
  const [time, text] = ['d7006553f10000000002', '1700000000.000000002'];
  const ofHex = (digits: string) => Buffer.from(digits.replaceAll(' ', ''), 'hex');
  check([ofHex(`9292 ${time} 80 81a16101`)], [[[text, {}], { a: 1 }]]);
  check([ofHex(`9292 ${time} df00000000 81a16101`)], [[[text, {}], { a: 1 }]]);
  check([ofHex(`dc0002 92 ${time} 80 81a16101`)], [[[text, {}], { a: 1 }]]);
  check([ofHex(`9292 ${time} 81a16d01 81a16101`)], [[[text, { m: 1 }], { a: 1 }]]);
  check([ofHex('9292 c7080000000001 00000002 80 80')], [[['1.000000002', {}], {}]]);
  check([[[7, {}], { a: 1 }]], [[[7, {}], { a: 1 }]]);
  check(
    Array.from({ length: 3 }, (_, a) => Buffer.concat([ofHex(`9292 ${time} 80`), encode({ a })])),
    Array.from({ length: 3 }, (_, a) => [[text, {}], { a }]),
  );
  // Lists still: an entry that has fields, and a record; one entry; more than two.
  check(
    [[[7, { b: 1 }], { a: 1 }]],
    [
      [7, { b: 1 }],
      [now, { a: 1 }],
    ],
  );
  check([[[7, {}]]], [[7, {}]]);
  check(
    [[[7, {}], { a: 1 }, { a: 2 }]],
    [
      [7, {}],
      [now, { a: 1 }],
      [now, { a: 2 }],
    ],
  );
  check(
    [
      [
        [7, {}],
        [8, {}],
      ],
    ],
    [
      [7, {}],
      [8, {}],
    ],
  );
  const whole = ofHex(`9292 ${time} 80 81a16101`);
  for (let cut = 1; cut < whole.length; cut += 1) {
    checkRefused(whole.subarray(0, cut).toString('hex'), cut, /ends inside a value/);
  }
});

test("a record's numeric time is the entry's", () => {
  check([{ time: 5, a: 1 }], [['5.000000000', { a: 1 }]]);
  check([{ a: 1, time: 1_518_756_037 }], [['1518756037.000000000', { a: 1 }]]);
  check([{ a: { time: 1 }, time: 1_518_756_037.25, b: 2 }], [['1518756037.250000000', { a: { time: 1 }, b: 2 }]]);
  check([{ time: 1_700_000_000_123 }], [[now, { time: 1_700_000_000_123 }]]);
  check([{ time: -1 }], [[now, { time: -1 }]]);
  check([{ time: Number.NaN }], [[now, { time: Number.NaN }]]);
  check([{ time: 'x' }], [[now, { time: 'x' }]]);
  check([{ time: 5 }], [[now, { time: 5 }]], { ...OPTIONS, takeTime: false });
  const wide = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`k${i}`, i]));
  check([{ ...wide, time: 5 }], [['5.000000000', wide]]);
});

test('what is refused, and where', () => {
  checkRefused('01', 0, /a record has to be a map/);
  checkRefused('c1', 0, /a record has to be a map/);
  checkRefused('81 a161 c1', 0, /a value is none/);
  checkRefused('81 a161', 3, /ends inside a value/);
  checkRefused('80 81', 2, /ends inside a value/);
  checkRefused('92 80', 2, /ends inside a value/);
  checkRefused('dc00', 2, /ends inside a value/);
  checkRefused('92 80 01', 2, /a record has to be a map/);
  checkRefused('91 93 01 80 80', 1, /an entry has to be/);
  checkRefused('92 a161 80', 0, /an entry has to be/);
  checkRefused('92 01 02', 0, /an entry has to be/);
  checkRefused('df ffffffff', 5, /ends inside a value/);
  checkRefused('dd ffffffff', 5, /ends inside a value/);
  checkRefused(`81 a161 ${'91'.repeat(200)}`, 0, /nests too deep/);
});

test('the run is bounded', () => {
  assert.deepEqual(msgpackEntries(Buffer.alloc(10, 0x80), { ...OPTIONS, bytesMax: 119 }), { kind: 'too_large' });
});

test('it never throws, and what it gives is a run of entries', () => {
  const msgpackish = fc.uint8Array({ maxLength: 40 });
  const opening = fc.constantFrom(0x80, 0x81, 0x82, 0x91, 0x92, 0x93, 0xdc, 0xde, 0xd7, 0xa4);
  fc.assert(
    fc.property(opening, msgpackish, (first, rest) => {
      const body = Buffer.from([first, ...rest]);
      const result = msgpackEntries(body, OPTIONS);
      if (result.kind === 'entries') decodedCount(result);
      else assert(result.kind === 'malformed' && result.at <= body.length);
    }),
    { numRuns: 5000 },
  );
});

function decodedCount(result: { bytes: Uint8Array; count: number }): void {
  assert.equal(countEntries(result.bytes, 0, result.bytes.length), result.count);
}
