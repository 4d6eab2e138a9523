// What journalctl writes with `-o export` (test/fixtures/journal), through the edge and the indexer: its whole
// documents; cut and changed anywhere, no entry before that place is another one.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { journalEntry } from '#forwarder/dialects/journal/entry.ts';
import { ExportScanner } from '#forwarder/dialects/journal/export-format.ts';
import { batch, documentOf } from '../documents.ts';

const folder = join(import.meta.dirname, '../../../fixtures/journal');
const exported = readFileSync(join(folder, 'export.bin'));
const expected = JSON.parse(readFileSync(join(folder, 'export.json'), 'utf8')) as Record<string, unknown>[];
const ENTRY_BYTES_MAX = 100_000;
const RUNS = 300;
/** The first two entries are cut at every byte, and all of them by pieces of one. */
const HEAD = 1300;
const STEP = 7;

/** Of each piece that arrives: the entries that are whole by then. */
function entriesOf(pieces: readonly Buffer[]): Buffer[] {
  const scanner = new ExportScanner({ entryBytesMax: ENTRY_BYTES_MAX });
  const entries: Buffer[] = [];
  for (const piece of pieces) {
    scanner.push(piece);
    for (let next = scanner.next(); next.kind === 'entry'; next = scanner.next()) {
      const entry = journalEntry(next.fields, ENTRY_BYTES_MAX);
      assert(entry);
      entries.push(Buffer.from(entry.entries));
    }
  }
  return entries;
}

/** Each entry's value in the edge is [time, record]. */
const documents = (pieces: readonly Buffer[]): Record<string, unknown>[] =>
  entriesOf(pieces).map((entry) => documentOf(entry, { batch: { ...batch, tag: 'journal', input: 'journal' } }));

test('each entry becomes its document', () => {
  assert.deepEqual(documents([exported]), expected);
});

test('cut anywhere, each entry that is whole is the same', () => {
  const whole = entriesOf([exported]);
  for (let end = 0; end <= exported.length; end += end < HEAD ? 1 : STEP) {
    const found = entriesOf([exported.subarray(0, end)]);
    assert.deepEqual(found, whole.slice(0, found.length));
  }
  assert.deepEqual(documents([...exported].map((byte) => Buffer.from([byte]))), expected);
});

test('changed at random, it is entries or none, and entries before the change are the same', () => {
  const whole = entriesOf([exported]);
  const change = fc.tuple(fc.nat(exported.length - 1), fc.integer({ min: 0, max: 255 }));
  fc.assert(
    fc.property(change, ([at, byte]) => {
      const other = Buffer.from(exported);
      other[at] = byte;
      const before = entriesOf([exported.subarray(0, at)]).length;
      const found = entriesOf([other]);
      assert.deepEqual(found.slice(0, before), whole.slice(0, before));
      for (const entry of found) documentOf(entry, { batch: { ...batch, tag: 'journal', input: 'journal' } });
    }),
    { numRuns: RUNS },
  );
});
