// The audit lines: whoever floods is counted, not written down each time; nothing is missing from the sum; nothing
// harmful is in a line.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AccessLog } from '#shared/access-log.ts';
import { createLog } from '#shared/log.ts';
import { VirtualClock } from '#test/memory/clock.ts';

interface Line {
  readonly level: string;
  readonly event: string;
  readonly peer: string;
  readonly detail?: string;
  readonly count: number;
}

function open() {
  const clock = new VirtualClock();
  const lines: Line[] = [];
  const log = createLog('info', clock, { lines: { write: (text: string) => void lines.push(JSON.parse(text)) } });
  return { clock, lines, access: new AccessLog(log, clock) };
}
const FLOOD = { input: 'http', reason: 'token_wrong' };
const countsOf = (lines: readonly Line[]) => lines.map(({ peer, count }) => [peer, count]);

test('the first of a peer at once, its others as one line a minute later, then anew', async () => {
  const { clock, lines, access } = open();
  for (let i = 0; i < 1000; i++) access.refused({ ...FLOOD, peer: '192.0.2.1' });
  access.refused({ ...FLOOD, peer: '192.0.2.2' });
  assert.deepEqual(countsOf(lines), [
    ['192.0.2.1', 1],
    ['192.0.2.2', 1],
  ]);
  await clock.advance(60_000);
  assert.deepEqual(countsOf(lines.slice(2)), [['192.0.2.1', 999]]);
  access.refused({ ...FLOOD, peer: '192.0.2.1' });
  assert.deepEqual(countsOf(lines.slice(3)), [['192.0.2.1', 1]]);
});

test('a flood of peers is bounded, and every one of them is in the sum', () => {
  const { lines, access } = open();
  const peers = 10_000;
  for (let i = 0; i < peers; i++) access.refused({ ...FLOOD, peer: `10.0.${i >> 8}.${i & 255}` });
  access[Symbol.dispose]();
  assert.ok(lines.length <= 257, `${lines.length} lines`);
  assert.equal(lines.at(-1)?.peer, 'others');
  assert.equal(
    lines.reduce((sum, { count }) => sum + count, 0),
    peers,
  );
});

test('the end tells what was not told yet, once', () => {
  const { lines, access } = open();
  for (let i = 0; i < 3; i++) access.refused({ ...FLOOD, peer: null });
  access[Symbol.dispose]();
  access[Symbol.dispose]();
  assert.deepEqual(countsOf(lines), [
    ['unknown', 1],
    ['unknown', 2],
  ]);
});

test('a detail is a short line without control characters', () => {
  const { lines, access } = open();
  access.refused({ ...FLOOD, peer: '192.0.2.1', detail: `a\u001b]0;b\u0007\u009b\u202e${'x'.repeat(1000)}\nc` });
  const [line] = lines;
  assert.deepEqual([line?.level, line?.event], ['warn', 'access_refused']);
  assert.match(line?.detail ?? '', /^a\\u001b\]0;b\\u0007\\u009b\\u202ex+$/);
  assert.ok((line?.detail?.length ?? 0) < 256);
});

test('what an operator had done names who and what', () => {
  const { lines, access } = open();
  const deed = { action: '/dead-letters/replay', who: 'ops', peer: '127.0.0.1' };
  access.done({ ...deed, outcome: 'started' });
  access.done({ ...deed, outcome: 'done' });
  assert.deepEqual(
    lines.map(({ level, event, peer, count }) => [level, event, peer, count]),
    [
      ['info', 'admin_action', '127.0.0.1', 1],
      ['info', 'admin_action', '127.0.0.1', 1],
    ],
  );
});
