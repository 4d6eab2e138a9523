import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decode, encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { MsgpackReader } from '#shared/msgpack/reader.ts';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';

const write = (action: (writer: MsgpackWriter) => void) => {
  const writer = new MsgpackWriter(1);
  action(writer);
  return writer.take();
};

describe('the shortest form of an integer', () => {
  const check = (value: number | bigint, expected: string) =>
    test(String(value), () => {
      const bytes = write((writer) => writer.integer(value));
      assert.equal(bytes.toString('hex'), expected.replaceAll(' ', ''));
      assert.equal(new MsgpackReader(bytes).integer(), asRead(value));
    });

  check(0, '00');
  check(-0, '00');
  check(127, '7f');
  check(128, 'cc 80');
  check(255, 'cc ff');
  check(256, 'cd 0100');
  check(65_535, 'cd ffff');
  check(65_536, 'ce 00010000');
  check(2 ** 32 - 1, 'ce ffffffff');
  check(2 ** 32, 'cf 0000000100000000');
  check(Number.MAX_SAFE_INTEGER, 'cf 001fffffffffffff');
  check(2n ** 53n, 'cf 0020000000000000');
  check(2 ** 60, 'cf 1000000000000000');
  check(2n ** 64n - 1n, 'cf ffffffffffffffff');
  check(-1, 'ff');
  check(-32, 'e0');
  check(-33, 'd0 df');
  check(-128, 'd0 80');
  check(-129, 'd1 ff7f');
  check(-32_768, 'd1 8000');
  check(-32_769, 'd2 ffff7fff');
  check(-(2 ** 31), 'd2 80000000');
  check(-(2 ** 31) - 1, 'd3 ffffffff7fffffff');
  check(-(2 ** 32), 'd3 ffffffff00000000');
  check(-(2 ** 32) - 1, 'd3 fffffffeffffffff');
  check(Number.MIN_SAFE_INTEGER, 'd3 ffe0000000000001');
  check(-(2n ** 63n), 'd3 8000000000000000');
  check(5n, '05');
});

describe('integers that msgpack does not have', () => {
  for (const value of [2n ** 64n, -(2n ** 63n) - 1n, 1.5, Number.NaN]) {
    test(String(value), () => assert.throws(() => write((writer) => writer.integer(value))));
  }
});

describe('values, beside @msgpack/msgpack', () => {
  const check = (what: string, action: (writer: MsgpackWriter) => void, expected: unknown) =>
    test(what, () => assert.deepEqual(decode(write(action)), expected));

  check('a text that is not ASCII', (writer) => writer.string('é😀'), 'é😀');
  check('a lone surrogate', (writer) => writer.string('a\ud800'), 'a\ufffd');
  check('a float', (writer) => writer.float(1), 1);
  check('true', (writer) => writer.boolean(true), true);
  check('nil', (writer) => writer.nil(), null);
  check('binary', (writer) => writer.binary(Buffer.from('ab')), Buffer.from('ab'));
  check('a text from bytes', (writer) => writer.stringBytes(Buffer.from('xaby'), 1, 3), 'ab');
  for (const count of [0, 15, 16, 65_535, 65_536]) {
    const elements = Array.from({ length: count }, (_, i) => i);
    const writeElements = (writer: MsgpackWriter) => elements.forEach((element) => writer.integer(element));
    check(`an array of ${count}`, (writer) => (writer.arrayHeader(count), writeElements(writer)), elements);
    check(
      `an array that grew to ${count}, with something behind it`,
      (writer) => {
        writer.arrayHeader(2);
        const at = writer.openArray();
        writeElements(writer);
        writer.closeArray(at, count);
        writer.string('behind');
      },
      [elements, 'behind'],
    );
    check(
      `a map that grew to ${count}`,
      (writer) => {
        const at = writer.openMap();
        for (const element of elements) {
          writer.string(`k${element}`);
          writer.integer(element);
        }
        writer.closeMap(at, count);
      },
      Object.fromEntries(elements.map((element) => [`k${element}`, element])),
    );
  }
  for (const size of [0, 31, 32, 255, 256, 65_535, 65_536]) {
    check(`a text of ${size}`, (writer) => writer.string('x'.repeat(size)), 'x'.repeat(size));
    check(`raw bytes of ${size}`, (writer) => writer.raw(encode('y'.repeat(size))), 'y'.repeat(size));
  }

  test('an EventTime', () => {
    const bytes = write((writer) => writer.eventTime(0x65920080, 999_999_999));
    assert.equal(bytes.toString('hex'), 'd70065920080' + '3b9ac9ff');
  });
  test('a text from what was written before, also where that grows', () => {
    for (const size of [0, 5, 100, 2 ** 20]) {
      const writer = new MsgpackWriter(1);
      writer.arrayHeader(2);
      writer.string('x'.repeat(size));
      const end = writer.length;
      writer.stringWithin(end - size, end);
      assert.deepEqual(decode(writer.take()), ['x'.repeat(size), 'x'.repeat(size)]);
    }
  });
  test('reset and truncate forget', () => {
    const writer = new MsgpackWriter();
    writer.string('before');
    writer.reset();
    writer.integer(1);
    const { length } = writer;
    writer.string('half');
    writer.truncate(length);
    assert.deepEqual([...writer.view()], [1]);
  });
});

describe('reader', () => {
  test('gives back what the writer wrote', () => {
    const element = fc.oneof(
      fc.record({
        kind: fc.constant('integer' as const),
        value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
      }),
      fc.record({ kind: fc.constant('string' as const), value: fc.string({ unit: 'binary' }) }),
      fc.record({ kind: fc.constant('binary' as const), value: fc.uint8Array({ maxLength: 300 }) }),
      fc.record({ kind: fc.constant('boolean' as const), value: fc.boolean() }),
      fc.record({ kind: fc.constant('nil' as const), value: fc.constant(null) }),
    );
    fc.assert(
      fc.property(fc.array(element), (elements) => {
        const bytes = write((writer) => {
          writer.arrayHeader(elements.length);
          for (const { kind, value } of elements) {
            if (kind === 'integer') writer.integer(value);
            else if (kind === 'string') writer.string(value);
            else if (kind === 'binary') writer.binary(value);
            else if (kind === 'boolean') writer.boolean(value);
            else writer.nil();
          }
        });
        const reader = new MsgpackReader(bytes);
        assert.equal(reader.arrayHeader(), elements.length);
        for (const { kind, value } of elements) {
          if (kind === 'integer') assert.equal(reader.integer(), asRead(value));
          else if (kind === 'string') assert.equal(reader.string(), value);
          else if (kind === 'binary') assert.deepEqual(reader.binary(), Buffer.from(value));
          else if (kind === 'boolean') assert.equal(reader.boolean(), value);
          else assert.ok(reader.nil());
        }
        assert.ok(reader.done);
      }),
    );
  });

  test('stays where it is when it does not find what it is asked for', () => {
    const reader = new MsgpackReader(Buffer.from('cf0020000000000000', 'hex'));
    assert.equal(reader.safeInteger(), undefined);
    assert.equal(reader.string(), undefined);
    assert.equal(reader.mapHeader(), undefined);
    assert.equal(reader.integer(), 2n ** 53n);
  });

  const refuses = (what: string, bytes: string, read: (reader: MsgpackReader) => unknown) =>
    test(`refuses ${what}`, () => {
      const reader = new MsgpackReader(Buffer.from(bytes, 'hex'));
      assert.equal(read(reader), undefined);
      assert.equal(reader.position, 0);
    });
  refuses('a text that is no UTF-8', 'a2c328', (reader) => reader.string());
  refuses('a text that is cut', 'a36162', (reader) => reader.string());
  refuses('a text whose length is cut', 'da00', (reader) => reader.string());
  refuses('an integer that is cut', 'cd01', (reader) => reader.integer());
  refuses('an array whose header is cut', 'dd000000', (reader) => reader.arrayHeader());
  refuses('a float as an integer', 'cb0000000000000000', (reader) => reader.integer());
  refuses('nothing', '', (reader) => reader.bytes());

  test('never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const reader = new MsgpackReader(bytes);
        const reads = [
          () => reader.arrayHeader(),
          () => reader.mapHeader(),
          () => reader.integer(),
          () => reader.string(),
          () => reader.bytes(),
          () => reader.boolean(),
          () => (reader.nil() ? true : undefined),
          () => (reader.skip() ? true : undefined),
        ];
        while (!reader.done && reads.some((read) => read() !== undefined));
        assert.ok(reader.position <= bytes.length);
      }),
    );
  });
});

function asRead(value: number | bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) + 0 : BigInt(value);
}
