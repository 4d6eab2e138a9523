// Which lines of traces were taken: known for as long as they fit, however often one comes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PassedLines } from '#indexer/join/passed-lines.ts';
import type { Batch } from '#shared/record/record.ts';
import { batch } from '../parse/documents.ts';

const batchOf = (number: number): Batch => ({ ...batch, id: Buffer.alloc(16, number) });

test('a line that is noted again takes no room', () => {
  const passed = new PassedLines();
  passed.add(batchOf(1), 0);
  for (let i = 0; i < 20_000; i++) passed.add(batchOf(2), 7);
  assert.deepEqual([passed.has(batchOf(1), 0), passed.has(batchOf(2), 7)], [true, true]);
});

test('the batch that was noted first is forgotten first', () => {
  const passed = new PassedLines();
  passed.add(batchOf(1), 0);
  for (let i = 0; i < 16_384; i++) passed.add(batchOf(2), i);
  assert.deepEqual([passed.has(batchOf(1), 0), passed.has(batchOf(2), 0)], [false, true]);
});
