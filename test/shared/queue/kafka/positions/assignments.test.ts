// The bookkeeping behind Kafka's consumer: numbers that only grow, and batches that come out of place.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { epochStarts } from '#shared/queue/kafka/broker/fetched-records.ts';
import { MemberAssignment, MemberAssignments } from '#shared/queue/kafka/positions/assignments.ts';

describe('assignments', () => {
  it('have numbers that grow, and are void once the next is taken', async () => {
    const assignments = new MemberAssignments();
    assert.equal(assignments.current, null);
    const first = assignments.take([0, 1]);
    assert.equal(assignments.revoke(), first);
    assert.equal(assignments.revoke(), null);
    assert.equal(await first.announced, false);
    const second = assignments.take([1]);
    second.prepare([{ partition: 1, next: 5, end: 9 }]);
    second.announce();
    assert.equal(await second.announced, true);
    assert.deepEqual([first.number, second.number, assignments.take([]).number], [1, 2, 3]);
  });
});

describe('place of a batch', () => {
  const start = (next: number): MemberAssignment => {
    const assignment = new MemberAssignment(1, [0]);
    assignment.prepare([{ partition: 0, next, end: 100 }]);
    assignment.announce();
    return assignment;
  };

  it('is next where it follows on what was handed over', () => {
    const assignment = start(5);
    assert.equal(assignment.expects(0, 5), 'next');
    assignment.handedOver(0, 9);
    assert.equal(assignment.expects(0, 9), 'next');
  });

  it('is sought back to once, for a batch that was fetched before a rebalance', () => {
    const assignment = start(5);
    assert.deepEqual(assignment.expects(0, 60), { seek: 5 });
    assert.equal(assignment.expects(0, 5), 'next');
    assignment.handedOver(0, 7);
    assert.deepEqual(assignment.expects(0, 3), { seek: 7 });
  });

  it('is taken as it is where the seek led to the same gap: the records are gone', () => {
    const assignment = start(5);
    assert.deepEqual(assignment.expects(0, 60), { seek: 5 });
    assert.deepEqual(assignment.expects(0, 60), { lostFrom: 5 });
  });
});

describe('epochs of leaders', () => {
  const start = (next: number, epoch: number, leaderEpoch: number): MemberAssignment => {
    const assignment = new MemberAssignment(1, [0]);
    assignment.prepare([{ partition: 0, next, end: 100, epoch, leaderEpoch }], { topicId: null, topicPartitions: 1 });
    assignment.announce();
    return assignment;
  };

  it('are committed as those of the record before, also where several came at once', () => {
    const assignment = start(5, 3, 8);
    const epochs = [
      { from: 5, epoch: 3 },
      { from: 10, epoch: 5 },
      { from: 20, epoch: 8 },
    ];
    assignment.handedOver(0, 30, { epochs });
    const committed = [5, 10, 11, 20, 21, 30].map((next) => assignment.snapshot(0, next).epoch);
    assert.deepEqual(committed, [3, 3, 5, 5, 8, 8]);
  });

  it('are committed as those of what no reader sees before a record, where a drain ends there', () => {
    const message = (offset: number, partitionLeaderEpoch: number) => {
      const seen = { offset: String(offset), key: null, value: null, attributes: 0, timestamp: '0', headers: {} };
      return { ...seen, batchContext: { partitionLeaderEpoch } };
    };
    // The epoch began with the marker of a transaction, at 6: told of as the one before, the log would seem to end
    // there.
    for (const fetches of [[[message(5, 3), message(7, 4)]], [[message(5, 3)], [message(7, 4)]]]) {
      const assignment = start(5, 3, 8);
      for (const messages of fetches)
        assignment.handedOver(0, Number(messages.at(-1)?.offset) + 1, { epochs: epochStarts(messages) });
      const epochs = [6, 7, 8].map((next) => assignment.snapshot(0, next).epoch);
      assert.deepEqual(epochs, [3, 4, 4]);
    }
  });

  it('that are lower than what was committed stop the reading for one look, not for ever', () => {
    // An earlier version committed the epoch of the last record that was fetched with the one before.
    const assignment = start(5, 7, 8);
    assert.equal(assignment.isSuspect(0, 5), true);
    assignment.check(0, 8);
    assert.equal(assignment.isSuspect(0, 5), false);
    assignment.handedOver(0, 9, { epochs: [{ from: 5, epoch: 5 }] });
    assert.equal(assignment.snapshot(0, 9).epoch, 5);
    assert.equal(assignment.isSuspect(0, 4), true);
    assert.equal(assignment.isSuspect(0, 9), true);
  });
});
