// The own log is read on terminals: what a sender called itself, or its tag, must not be obeyed there.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from '#shared/log.ts';
import { VirtualClock } from '#test/memory/clock.ts';

test('controls and marks of direction in a line are shown, at every level', () => {
  let written = '';
  const log = createLog('debug', new VirtualClock(), { lines: { write: (line: string) => void (written += line) } });
  const tag = 'a\u009b2J\u202eb\u001b[2J';
  for (const level of ['debug', 'info', 'warn', 'error'] as const) log[level]('something', { tag, count: 1 });
  for (const harmful of ['\u009b', '\u202e', '\u001b']) assert(!written.includes(harmful));
  assert.equal(written.match(/a\\\\u009b2J\\\\u202eb/g)?.length, 4);
});

test('a line that was counted by its teller is not folded away', () => {
  const written: string[] = [];
  const log = createLog('info', new VirtualClock(), { lines: { write: (line: string) => void written.push(line) } });
  for (let i = 0; i < 3; i++) log.warn('counted', { count: 1 });
  for (let i = 0; i < 3; i++) log.warn('not_counted', {});
  assert.equal(written.length, 4);
});

test('no text is made of what nobody wants to hear', () => {
  const log = createLog('info', new VirtualClock(), { lines: { write: () => undefined } });
  let asked = 0;
  const fields = {
    get path(): string {
      asked += 1;
      return '/a';
    },
  };
  log.debug('detail', fields);
  assert.equal(asked, 0);
  log.info('news', fields);
  assert.ok(asked > 0);
});
