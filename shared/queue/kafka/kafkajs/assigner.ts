// kafkajs's own round robin, with a word before each request to join the group.

import kafkajs, { type PartitionAssigner } from 'kafkajs';

/**
 * Calls `beforeJoin` synchronously before each request to join the group is sent: after that call a commit could be
 * stamped with a generation it does not belong to.
 */
export function fencedAssigner(beforeJoin: () => void): PartitionAssigner {
  return (config) => {
    const inner = kafkajs.PartitionAssigners.roundRobin(config);
    return {
      name: inner.name,
      version: inner.version,
      assign: (group) => inner.assign(group),
      protocol(subscription) {
        beforeJoin();
        return inner.protocol(subscription);
      },
    };
  };
}
