// Lines of a stream: the same, in whatever pieces it comes, and all of them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeMulti } from '@msgpack/msgpack';
import fc from 'fast-check';
import { VirtualClock } from '#test/memory/clock.ts';
import { PART_BYTES } from '#forwarder/decode/files/file-entries.ts';
import { StreamLines } from '../../../services/sluice/send/stream-lines.ts';

function linesOf(pieces: readonly Buffer[]): string[] {
  const texts: string[] = [];
  const give = ({ entries, count }: { entries: Uint8Array; count: number }): void => {
    const decoded = [...decodeMulti(entries, { rawStrings: true, mapKeyConverter: String })] as Decoded[];
    assert.equal(decoded.length, count);
    for (const [, record] of decoded) {
      const part = record['log'] === undefined ? '' : `${String(record['partial_ordinal'])} `;
      texts.push(part + Buffer.from(record['message'] ?? record['log'] ?? []).toString('latin1'));
    }
  };
  const lines = new StreamLines({ fields: { 'host.name': 'h' }, clock: new VirtualClock(), give });
  for (const piece of pieces) lines.take(piece);
  lines.end();
  return texts;
}

type Decoded = [unknown, Record<string, Uint8Array | undefined>];

function check(content: string | Buffer, expected: readonly string[]): void {
  const bytes = Buffer.from(content as string, 'latin1');
  assert.deepEqual(linesOf([bytes]), expected);
  const step = bytes.length > 1000 ? 9973 : 1;
  for (let cut = 0; cut <= bytes.length; cut += step) {
    assert.deepEqual(linesOf([bytes.subarray(0, cut), bytes.subarray(cut)]), expected, `cut at ${cut}`);
  }
}

test('what is a line', () => {
  check('', []);
  check('a', ['a']);
  check('a\n', ['a']);
  check('a\r\n\nb', ['a', '', 'b']);
  check('\n\n', ['', '']);
  check('\0\0', []);
  check('\0\0a\0b\n\0', ['a\0b']);
  check('\xff\xfe\xef\xbb\xbf\n\xc3', ['\xff\xfe\xef\xbb\xbf', '\xc3']);
});

test('long lines come in parts, and nothing is kept of endless NULs', () => {
  const long = 'x'.repeat(2 * PART_BYTES + 5);
  check(`a\n${long}\nb`, ['a', `1 ${'x'.repeat(PART_BYTES)}`, `2 ${'x'.repeat(PART_BYTES)}`, '3 xxxxx', 'b']);
  check(long, [`1 ${'x'.repeat(PART_BYTES)}`, `2 ${'x'.repeat(PART_BYTES)}`, '3 xxxxx']);
  check(`${'x'.repeat(PART_BYTES)}\n`, ['x'.repeat(PART_BYTES)]);
  assert.deepEqual(linesOf([...Array.from({ length: 50 }, () => Buffer.alloc(PART_BYTES)), Buffer.from('a')]), ['a']);
});

test('any bytes in any pieces are the same lines', () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    fc.constantFrom('\n', 'a\n', '\0', '\r\n').map((text) => Buffer.from(text)),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      assert.deepEqual(linesOf(pieces), linesOf([Buffer.concat(pieces)]));
    }),
  );
});
