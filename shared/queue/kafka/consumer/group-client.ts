// How a client of kafkajs is configured that reads as a member of a group.

import { fencedAssigner } from '../kafkajs/assigner.ts';
import type { Consumer, Kafka } from '../kafkajs/client.ts';
import type { ConsumeOptions } from '../../queue.ts';

// After a broker's restart the group waits so long for the members that it had before.
const SESSION_TIMEOUT_MS = 15_000;
const REBALANCE_TIMEOUT_MS = 60_000;
export const HEARTBEAT_INTERVAL_MS = 1000;
// The longest that a paused partition waits after its resume, and the pause of the polls when there is nothing.
const POLL_MS = 250;
// After so long a partition that had no leader is read again.
const METADATA_MAX_AGE_MS = 30_000;
// There is a client for each topic of others, and each may hold so much of each broker that no budget counts yet.
const FOREIGN_FETCH_BYTES_MAX = 2 * 1024 * 1024;

export interface GroupClientOptions extends Pick<ConsumeOptions, 'group' | 'fetchBytesMax'> {
  readonly isForeign: boolean;
}

/** `beforeJoin` is called before each request to join the group is sent. */
export function groupClient(
  kafka: Kafka,
  { group, fetchBytesMax, isForeign }: GroupClientOptions,
  beforeJoin: () => void,
): Consumer {
  return kafka.consumer({
    groupId: group,
    partitionAssigners: [fencedAssigner(beforeJoin)],
    allowAutoTopicCreation: false,
    sessionTimeout: SESSION_TIMEOUT_MS,
    rebalanceTimeout: REBALANCE_TIMEOUT_MS,
    heartbeatInterval: HEARTBEAT_INTERVAL_MS,
    metadataMaxAge: METADATA_MAX_AGE_MS,
    minBytes: 1,
    maxBytesPerPartition: isForeign ? Math.min(fetchBytesMax, FOREIGN_FETCH_BYTES_MAX) : fetchBytesMax,
    maxBytes: isForeign ? FOREIGN_FETCH_BYTES_MAX : Math.max(fetchBytesMax, 8 * 1024 * 1024),
    maxWaitTimeInMs: POLL_MS,
    // A transaction of somebody else that stays open would hold the partition; ours are none. In a topic of others what
    // was aborted was never sent.
    readUncommitted: !isForeign,
    // A restart is our own affair, with a client that knows nothing of the one before.
    retry: { retries: 10, initialRetryTime: 200, maxRetryTime: 2000, restartOnFailure: () => Promise.resolve(false) },
  });
}
