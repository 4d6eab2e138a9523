// What `sluice reindex` and `sluice erase` say, and which names of streams they take.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '#shared/errors.ts';
import type { GroupLag } from '#shared/queue/group-lag.ts';
import { streamNameFault } from '#shared/store/elasticsearch/stream-name.ts';
import {
  type EraseFindings,
  findingsText,
  isDone,
  resultText,
  unreachedLines,
} from '../../services/sluice/erase/report.ts';
import { unindexed } from '../../services/sluice/erase/unindexed.ts';
import {
  goneLines,
  notRead,
  notReadText,
  progressText,
  reportJson,
  summaryText,
} from '../../services/sluice/reindex/report.ts';

const plan = {
  name: 'n',
  fromMs: 0,
  toMs: 1000,
  leadMs: 0,
  spans: [],
  records: 200,
  done: 50,
  lost: 2,
  cut: [{ partition: 3, low: 7 }],
};
const counts = { consumed: 9, indexed: 5, deduplicated: 3, dead_lettered: 1, dropped: 0, abandoned: 0 };
const reindex = {
  counts,
  lost: 1,
  refused: new Map([['document_refused: a\u001b[2Jb', 1]]),
  unfinishedLines: 4,
  recordsRead: 100,
  unhealthyReason: 'no\nanswer',
};

test('a reindex', () => {
  assert.equal(
    progressText(plan, reindex),
    '50 % of 200 records read, 5 events added, 3 were there; the store does not take all: no\\u000aanswer',
  );
  assert.deepEqual(goneLines(plan), [
    'Partition 3 begins at offset 7: what the queue took before is gone, and cannot be reindexed',
    "2 records are gone: the queue's retention took them before they could be read again",
  ]);
  const said = summaryText(plan, reindex, 'stopped');
  assert.match(said, /^5 events added, 3 were there already, 1 refused\n {2}1 refused: document_refused: a/);
  assert(!said.includes('\u001b'));
  assert.match(said, /\n4 split lines are not complete yet.*\n3 records are gone.*\nstopped\n$/);
});

test('a reindex names the topics of others, which it does not read', () => {
  const rules = [
    { topic: 'filebeat', format: 'json' },
    { pattern: 'apps\\..*\u001b', format: 'text' },
  ] as const;
  const names = notRead(rules);
  assert.match(
    notReadText(names),
    /kafka\.sources are not read: filebeat, apps\\\.\.\*\\u001b; see "Reading the queue again"/,
  );
  const json = (topics: readonly string[]): unknown =>
    (JSON.parse(reportJson(plan, reindex, { stopped: null, notRead: topics })) as Record<string, unknown>)['not_read'];
  assert.deepEqual([json(names), json(notRead())], [rules.map((rule) => Object.values(rule)[0]), []]);
});

test('an erasure', () => {
  const findings: EraseFindings = {
    documents: 0,
    examples: [],
    deadLetters: null,
    unreachable: [],
    queueKind: 'kafka',
    hasSources: false,
    lag: 0,
    lagFailures: [],
  };
  assert.equal(findingsText(findings), 'Nothing is found that would be erased\n');
  assert.match(unreachedLines(findings)[0] ?? '', /no dead letters were looked through/);
  assert.equal(unreachedLines(findings).length, 3);
  const kafka = { kind: 'kafka', letters: 2, offsets: [], unknown: ['0/7'] } as const;
  const all = unreachedLines({ ...findings, deadLetters: kafka, unreachable: ['closed'], lag: 12 });
  assert.deepEqual(
    all.map((line) => line.split(' ').slice(0, 3).join(' ')),
    ['closed', '12 records of', 'The queue keeps', '2 dead letters', '1 dead letters', 'Snapshots of the'],
  );
  const sourced = unreachedLines({ ...findings, hasSources: true, lagFailures: ['no right'] });
  assert(sourced.includes('What is not indexed yet is not all known: no right'));
  assert(sourced.some((line) => /^Topics of others .* only if the offsets of their groups are set back$/.test(line)));
  const result = { documents: 5, deadLetters: 0, left: 0, refused: new Map<string, number>(), stopped: null };
  assert.equal(isDone(findings, null), true);
  assert.equal(isDone(findings, result), true);
  assert.equal(isDone(findings, { ...result, left: 1 }), false);
  assert.equal(isDone({ ...findings, deadLetters: { ...kafka, unknown: [] } }, result), false);
  assert.equal(isDone({ ...findings, deadLetters: { ...kafka, letters: 0 } }, null), false);
  const refused = new Map([['index: cluster_block_exception', 3]]);
  assert.equal(
    resultText({ documents: 5, deadLetters: 1, left: 3, refused, stopped: null }),
    '5 documents and 1 dead letters erased\n  3 not erased: index: cluster_block_exception\n' +
      '3 documents are found still: they came meanwhile or were refused; run it again\n',
  );
});

test('what is not indexed yet is that of all groups', async () => {
  const lagOf = (topic: string, next: number, high: number): GroupLag => {
    const partitions = [{ partition: 0, low: 0, next, high, oldestMs: 0 }];
    return { group: topic, topic, atMs: 0, partitions, members: 0, retentionMs: null };
  };
  const error = new SluiceError('queue_refused', 'no right');
  const own = { sample: async () => lagOf('own', 5, 7), [Symbol.asyncDispose]: async () => undefined };
  assert.deepEqual(await unindexed(own), { lag: 2, lagFailures: [] });
  const others = async () => ({ lags: [lagOf('a', 0, 10), lagOf('b', 9, 9)], failures: [{ topic: 'c', error }] });
  assert.deepEqual(await unindexed({ ...own, others }), { lag: 12, lagFailures: ['no right'] });
});

test('names of data streams', () => {
  const check = (name: string, isTaken: boolean): void => assert.equal(streamNameFault(name) === null, isTaken, name);
  check('logs-sluice-default', true);
  check('logs-sluice-again', true);
  check('logs-sluice.acme-prod', true);
  check('logs-sluice.acme', false);
  check('logs-sluice-', false);
  check('logs-other-default', false);
  check('logs-sluice-A', false);
  check('logs-sluice-a b', false);
  check('logs-sluice-a,logs-other', false);
  check('logs-sluice-*', false);
  check('../logs-sluice-a', false);
  check('.logs-sluice-a', false);
  check('', false);
  check(`logs-sluice-${'a'.repeat(243)}`, true);
  check(`logs-sluice-${'a'.repeat(244)}`, false);
});
