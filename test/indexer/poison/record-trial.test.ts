// What is tried out of a record: lines that their sender left wrapped are joined as an indexer joins them, and so are
// stack traces.

import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { TraceJoiner } from '#indexer/join/trace-joiner.ts';
import { openWholly } from '#indexer/poison/record-trial.ts';
import { ANY_WINDOW, decompress } from '#shared/record/compression.ts';
import { cri, type Piece } from '../pipeline/wrapped-pieces.ts';
import { World } from '../world.ts';

/** Shows itself by the dead letters that its joined lines become: they count as work, of which some is a report. */
function reportsOf(pieces: readonly Piece[]): Promise<number> {
  return reportsOfRecords(pieces.map((piece) => cri(piece)));
}

async function reportsOfRecords(records: readonly Record<string, string>[]): Promise<number> {
  const world = new World({ partitions: 1 });
  const entries = records.map((record) => world.entry(record));
  await world.sendEntries(0, [world.batch(entries.length)], entries);
  const [record] = world.queue.logs[0] ?? [];
  assert.ok(record);
  const limits = { timeoutMs: 5000, lineBytesMax: 1e6, bytesMax: 1e8 };
  const options = {
    bytesMax: 1e8,
    bodyBytesMax: 1e6,
    trustedTenants: [],
    lines: limits,
    lettersBytesMax: 1e8,
    traceWaitMs: 1000,
  };
  let reports = 0;
  const fetched = { ...record, partition: 0, offset: 0, timestampMs: 0, appendedMs: 0 };
  await openWholly(
    fetched,
    { ...options, documentBytesMax: 20_000, decompress: (...of) => decompress(...of, ANY_WINDOW) },
    () => (reports += 1),
  );
  return reports;
}

test('the end of a line whose parts tell no place in it joins what was begun', async () => {
  const text = 'x'.repeat(15_000);
  const pieces = Array.from({ length: 200 }, (_, n): Piece[] => [
    { text, file: `/a/${n}` },
    { text, file: `/a/${n}`, isLast: true, ms: 1 },
  ]).flat();
  const apart = await reportsOf(pieces.map((piece) => ({ ...piece, isLast: true })));
  const joined = await reportsOf(pieces);
  assert.ok(joined >= apart + 5, `${joined} reports, and ${apart} of lines that are whole`);
});

test('the lines of a stack trace are joined, whole or in parts: what ends whoever does it is found here', async () => {
  const lines = ['java.lang.Error: no', '\tat a.B.c(B.java:1)', '\tat a.B.d(B.java:2)', 'done'];
  const inParts = lines.flatMap((text): Piece[] => [{ text: text.slice(0, 5) }, { text: text.slice(5), isLast: true }]);
  for (const records of [lines.map((log) => ({ log })), inParts.map((piece) => cri(piece))]) {
    const { mock: spy } = mock.method(TraceJoiner.prototype, 'add');
    await reportsOfRecords(records);
    assert.equal(spy.callCount(), lines.length);
    mock.restoreAll();
    mock.method(TraceJoiner.prototype, 'add', () => assert.fail('a trace like this'));
    await assert.rejects(reportsOfRecords(records), /a trace like this/);
    mock.restoreAll();
  }
});
