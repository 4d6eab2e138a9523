// Lines of files as entries: what is one, where it ends, and that the same bytes have the same names, whatever pieces
// they come in.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeMulti } from '@msgpack/msgpack';
import fc from 'fast-check';
import { chainAfterEntry, chainStart } from '#shared/record/chain.ts';
import { entryEnd } from '#shared/msgpack/extents.ts';
import { encodingOf } from '#forwarder/decode/files/file-encoding.ts';
import { PART_BYTES } from '#forwarder/decode/files/file-entries.ts';
import { fieldsOfFile, LineEntries } from '#forwarder/decode/files/line-entries.ts';
import { readPieces } from './read-pieces.ts';

interface Read {
  readonly records: Record<string, unknown>[];
  readonly times: unknown[];
  readonly chain: string;
  readonly run: Buffer;
  /** What is no line yet. */
  readonly rest: Buffer;
}

function read(pieces: readonly Buffer[], encoding?: string): Read {
  const bytes = Buffer.concat(pieces);
  const source = { fields: fieldsOfFile('/a.log', 'h'), encoding: encodingOf(bytes.subarray(0, 4), encoding) };
  const entries = new LineEntries(source, { offset: 0, chain: chainStart('a', '0'), crc32: 0 });
  const { run, rest } = readPieces(entries, pieces);
  const decoded = [...decodeMulti(run)] as [unknown, Record<string, unknown>][];
  const chain = Buffer.from(entries.chain).toString('hex');
  return { records: decoded.map(([, record]) => record), times: decoded.map(([time]) => time), chain, run, rest };
}

function check(content: string | Buffer, expected: readonly string[], { encoding = '', rest = '' } = {}): void {
  const bytes = Buffer.from(content);
  const name = encoding === '' ? undefined : encoding;
  const result = read([bytes], name);
  assert.deepEqual(
    result.records.map(({ message }) => message),
    expected,
  );
  assert.equal(result.rest.toString('latin1'), rest);
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const { chain } = read([bytes.subarray(0, cut), bytes.subarray(cut)], name);
    assert.equal(chain, result.chain, `cut at ${cut}`);
  }
}

const utf16be = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16();

test('lines', () => {
  check('', []);
  check('a', [], { rest: 'a' });
  check('a\n', ['a']);
  check('\n\n', ['', '']);
  check('a\r\nb\r\r\nc', ['a', 'b\r'], { rest: 'c' });
  check('\0\0\0a\0b\n\0\0', ['a\0b'], { rest: '\0\0' });
  check('a\n\0\0\nb\n', ['a', '', 'b']);
  check('\uFEFFa\nb\n', ['a', 'b']);
});

test('encodings', () => {
  check('\uFEFFä\n', ['ä'], { encoding: 'utf-8' });
  check(Buffer.from('\uFEFFäĊ\r\n\u0A00\n', 'utf16le'), ['äĊ', '\u0A00']);
  check(utf16be('\uFEFFäĊ\r\n\u0A00\n'), ['äĊ', '\u0A00']);
  check(Buffer.from('a\nb', 'utf16le'), ['a'], { encoding: 'utf-16le', rest: 'b\0' });
  check(utf16be('a\nb'), ['a'], { encoding: 'utf-16be', rest: '\0b' });
  check(Buffer.from('\xe4\xfc\n', 'latin1'), ['äü'], { encoding: 'latin1' });
  check(Buffer.from([0x93, 0xfa, 0x96, 0x7b, 0x0a]), ['日本'], { encoding: 'shift_jis' });
});

test('bytes that are no UTF-8 pass as they are', () => {
  const { run } = read([Buffer.from([0xff, 0xfe - 1, 0x80, 0x0a])]);
  assert.ok(run.includes(Buffer.from([0xa3, 0xff, 0xfd, 0x80])));
});

test('a time that a line begins with', () => {
  const timeOf = (line: string): unknown => read([Buffer.from(`${line}\n`)]).times[0];
  const none = [
    '',
    'a',
    '2026-01-02',
    '2026-01-02T03:04:05',
    '2026-01-02T03:04:05 a',
    '2026-99-02T03:04:05Z',
    '1926-01-02T03:04:05Z',
    ' 2026-01-02T03:04:05Z',
    '2026-01-02T03:04:05Zebra',
    '9999-01-02T03:04:05Z',
  ];
  for (const line of none) assert.equal(timeOf(line), null, line);
  const some = ['2026-01-02T03:04:05.678Z a', '[2026-01-02T03:04:05.678Z] a', '2026-01-02 04:04:05,678+01:00'];
  for (const line of some) {
    const { type, data } = timeOf(line) as { type: number; data: Uint8Array };
    assert.equal(type, 0);
    const view = new DataView(data.buffer, data.byteOffset);
    assert.deepEqual([view.getUint32(0), view.getUint32(4)], [Date.UTC(2026, 0, 2, 3, 4, 5) / 1000, 678_000_000], line);
  }
});

test('a long line comes in parts, cut at the same places whatever comes at once', () => {
  for (const length of [PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES, 2 * PART_BYTES + 7]) {
    const bytes = Buffer.from(`${'x'.repeat(length)}\nnext\n`);
    const whole = read([bytes]);
    const parts = whole.records.slice(0, -1);
    assert.equal(parts.map(({ message, log }) => String(message ?? log)).join('').length, length);
    assert.deepEqual(whole.records.at(-1)?.['message'], 'next');
    if (length > PART_BYTES) {
      assert.equal(new Set(parts.map((part) => part['partial_id'])).size, 1);
      assert.deepEqual(
        parts.map((part) => part['partial_ordinal']),
        parts.map((_, i) => String(i + 1)),
      );
      assert.deepEqual(
        parts.map((part) => part['partial_last']),
        parts.map((_, i) => String(i === parts.length - 1)),
      );
    }
    for (const cut of [1, 100, PART_BYTES, PART_BYTES + 1, length, length + 1]) {
      assert.equal(read([bytes.subarray(0, cut), bytes.subarray(cut)]).chain, whole.chain, `${length} cut at ${cut}`);
    }
  }
  const wide = Buffer.from('😀'.repeat(PART_BYTES), 'utf16le');
  const text = read([Buffer.concat([Buffer.from('x\n', 'utf16le'), wide, Buffer.from('\n', 'utf16le')])], 'utf-16le');
  assert.equal(
    text.records
      .slice(1)
      .map(({ log }) => log)
      .join(''),
    '😀'.repeat(PART_BYTES),
  );
});

test('any bytes in any pieces: the same entries, and the chain of all of them', () => {
  const bytes = fc
    .uint8Array({ maxLength: 300 })
    .map((some) => Buffer.from(some.map((byte) => (byte < 40 ? 10 : byte))));
  const encodings = fc.constantFrom(undefined, 'utf-16le', 'utf-16be', 'latin1', 'gbk');
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 6 }), encodings, (pieces, encoding) => {
      const cut = read(pieces, encoding);
      const whole = read([Buffer.concat(pieces)], encoding);
      assert.deepEqual(cut.run, whole.run);
      assert.equal(cut.chain, whole.chain);
      let chain: Uint8Array = chainStart('a', '0');
      for (let at = 0; at < cut.run.length;) {
        const end = entryEnd(cut.run, at, cut.run.length);
        chain = chainAfterEntry(chain, cut.run, at, end);
        at = end;
      }
      assert.equal(Buffer.from(chain).toString('hex'), cut.chain);
    }),
  );
});
