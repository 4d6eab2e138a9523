// The patch of the keeper of offsets: the owner of a group decides where reading goes on, and nothing is committed for
// it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import OffsetManager from 'kafkajs/src/consumer/offsetManager/index.js';
import {
  decidedGroups,
  offsetKeepers,
  patchOffsetManager,
} from '#shared/queue/kafka/kafkajs/patches/offset-manager.ts';

function managerOf(groupId: string, memberId: string) {
  const committed: object[] = [];
  const manager = new OffsetManager({
    cluster: { defaultOffset: () => '-2', committedOffsets: () => ({ t: {} }) },
    coordinator: { isConnected: () => true, offsetCommit: (request) => Promise.resolve(committed.push(request)) },
    memberAssignment: { t: [0] },
    topicConfigurations: {},
    groupId,
    generationId: 1,
    memberId,
  });
  return { manager, committed };
}

const place = { topic: 't', partition: 0 };

test('an offset that is out of range', async () => {
  decidedGroups.add('decided');
  const original = managerOf('decided', 'before');
  await original.manager.setDefaultOffset(place);
  assert.equal(original.committed.length, 1, 'of itself kafkajs commits the earliest');

  patchOffsetManager();
  const other = managerOf('other', 'of-other');
  await other.manager.setDefaultOffset(place);
  assert.equal(other.committed.length, 1, 'a group whose owner does not decide');

  const { manager, committed } = managerOf('decided', 'm');
  assert.deepEqual([...offsetKeepers], [['m', manager]], 'shown to its owner, and no other one is');
  await manager.setDefaultOffset(place);
  assert.equal(committed.length, 1, 'nobody has taken it yet');
  const told: number[] = [];
  Object.assign(manager, { outOfRange: (partition: number) => void told.push(partition) });
  await manager.setDefaultOffset(place);
  assert.deepEqual(told, [0]);
  assert.equal(committed.length, 1, 'nothing more is committed');
});
