// The commit loop: what moved, under the assignment that it was fetched under, and never for one that is lost.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COMMIT_INTERVAL_MS, Committer } from '#indexer/consume/committer.ts';
import { Assignment } from '#indexer/commit/in-hand.ts';
import { ReadingTelemetry } from '#indexer/settle/reading-telemetry.ts';
import { TopicSlots } from '#indexer/settle/topic-slots.ts';
import { SluiceError } from '#shared/errors.ts';
import { World } from '../world.ts';

interface Commit {
  readonly assignment: number;
  readonly offsets: Record<string, number>;
}

function arrange(answer: () => Error | null = () => null) {
  const { clock, options } = new World();
  const commits: Commit[] = [];
  const assignment = new Assignment(7, [
    { partition: 0, next: 10 },
    { partition: 1, next: 20 },
  ]);
  let present: Assignment | null = assignment;
  const committer = new Committer({
    consumer: {
      async commit(number, offsets) {
        commits.push({ assignment: number, offsets: Object.fromEntries(offsets) });
        const error = answer();
        if (error) throw error;
      },
    },
    assignment: () => present,
    telemetry: new ReadingTelemetry(options.metrics, options.log, new TopicSlots('logs')),
    clock,
  });
  const finish = (partition: number, offset: number): void => {
    const offsets = assignment.partitions.get(partition);
    offsets?.finish(offsets.start(offset, 0));
  };
  return { clock, commits, assignment, committer, finish, lose: () => (present = null) };
}

test('commits what moved, once', async () => {
  const { clock, commits, committer, finish } = arrange();
  await clock.advance(3 * COMMIT_INTERVAL_MS);
  assert.deepEqual(commits, []);
  finish(1, 20);
  finish(1, 21);
  await clock.advance(3 * COMMIT_INTERVAL_MS);
  assert.deepEqual(commits, [{ assignment: 7, offsets: { 1: 22 } }]);
  finish(0, 10);
  assert.equal(await clock.until(committer.commit()), true);
  assert.deepEqual(commits[1], { assignment: 7, offsets: { 0: 11 } });
  await clock.until(committer.stop());
});

test('never for an assignment that is lost', async () => {
  const { clock, commits, assignment, finish, lose } = arrange();
  finish(0, 10);
  assignment.isRevoked = true;
  await clock.advance(2 * COMMIT_INTERVAL_MS);
  lose();
  await clock.advance(2 * COMMIT_INTERVAL_MS);
  assert.deepEqual(commits, []);
});

test('a commit that failed is tried again with the next look', async () => {
  let failures = 2;
  const { clock, commits, committer, finish } = arrange(() =>
    failures-- > 0 ? new SluiceError('queue_unavailable', 'no broker') : null,
  );
  finish(0, 10);
  assert.equal(await clock.until(committer.commit()), false);
  await clock.advance(5 * COMMIT_INTERVAL_MS);
  assert.equal(commits.length, 3);
});
