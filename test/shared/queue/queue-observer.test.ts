// What a queue tells reaches the log, each thing as a line of its own, and repeats of one thing folded.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from '#shared/log.ts';
import { observeInLog } from '#shared/queue/queue-observer.ts';
import { VirtualClock } from '#test/memory/clock.ts';

test('ten weak settings of topics are ten lines; the same ones again, none', () => {
  const lines: string[] = [];
  const log = createLog('info', new VirtualClock(), { lines: { write: (line) => void lines.push(line) } });
  const observer = observeInLog(log);
  const settings = ['replicas', 'min.insync.replicas', 'retention.ms', 'retention.bytes', 'cleanup.policy'];
  for (let times = 0; times < 3; times++) {
    for (const topic of ['logs', 'dead-letters']) {
      for (const setting of settings) observer.topicWeak({ topic, setting, message: `${topic} ${setting}` });
    }
  }
  const told = lines.map((line) => JSON.parse(line) as Record<string, string>);
  assert.deepEqual(new Set(told.map(({ event }) => event)), new Set(['topic_setting_weak']));
  assert.equal(told.length, 10);
  assert.equal(new Set(told.map(({ what }) => what)).size, 10);
});
