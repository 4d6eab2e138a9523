// What a replay tells is harmless to the terminal: the reason of a dead letter is whatever somebody wrote to the topic.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { progressLine, summary } from '../../services/sluice/dead-letters/replay-report.ts';

const counts = { indexed: 1, present: 0, failed: 0, impossible: 1 };
const evil = '\u001b]0;owned\u0007\u009b31m\u202e\nforged: all is well';

test('reasons and troubles are shown, and not obeyed', () => {
  const report = {
    ...counts,
    reasons: [[evil, 1]] as const,
    refusals: [[evil, 1]] as const,
    unhealthyReason: evil,
    stopped: evil,
  };
  for (const text of [summary(report), progressLine(report)]) {
    for (const harmful of ['\u001b', '\u0007', '\u009b', '\u202e', '\nforged']) assert(!text.includes(harmful));
    assert.match(text, /\\u001b\]0;owned\\u0007\\u009b31m\\u202e\\u000aforged/);
  }
});
