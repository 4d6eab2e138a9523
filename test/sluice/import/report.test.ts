// What `sluice import` says, as a table.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { progressLine, summary, summaryJson } from '../../../services/sluice/import/report.ts';

const file = { path: '/a', bytes: 4_000_000, bytesRead: 1_000_000, lines: 1000, knownLines: 5, refusal: null };

test('how far it is', () => {
  const check = (elapsedMs: number, isTerminal: boolean, expected: string, one = file): void =>
    assert.equal(progressLine([one], elapsedMs, isTerminal), expected);
  check(2000, true, '[#####...............] 25 %, 1.0 MB of 4.0 MB, 500 lines/s, 00:06 left');
  check(2000, false, '25 %, 1.0 MB of 4.0 MB, 500 lines/s, 00:06 left');
  check(7_200_000, false, '25 %, 1.0 MB of 4.0 MB, 0 lines/s, 06:00:00 left');
  check(0, false, '0 %, 0 bytes of 0 bytes, 0 lines/s', { ...file, bytes: 0, bytesRead: 0, lines: 0 });
  // A file may have grown.
  check(1000, true, '[####################] 100 %, 9.0 MB of 4.0 MB, 1,000 lines/s, 00:00 left', {
    ...file,
    bytesRead: 9_000_000,
  });
});

test('what it has done', () => {
  const refused = { ...file, lines: 0, refusal: 'no' };
  assert.equal(summary([file, refused]), '1,000 lines imported, 10 already there, 2.0 MB read of 2 files, 1 refused\n');
  assert.deepEqual(JSON.parse(summaryJson([file])), {
    lines: 1000,
    already_there: 5,
    bytes: 1_000_000,
    files: 1,
    refused: 0,
  });
});
