// A topic, its dead letters and a group that no other test has. `sluice setup` makes them.

import { randomBytes } from 'node:crypto';

/** Settings; without brokers of no use. */
export function ownTopic(brokers: readonly string[] = []) {
  const name = `sluice-test.${randomBytes(4).toString('hex')}`;
  return {
    SLUICE_KAFKA_BROKERS: brokers.join(),
    SLUICE_KAFKA_TOPIC: name,
    SLUICE_KAFKA_DEAD_LETTER_TOPIC: `${name}.dead-letters`,
    SLUICE_KAFKA_GROUP: name,
  };
}

/**
 * An indexer that takes over partitions commits nothing until requests of the one before it are over: for as long as a
 * bulk request may take, a minute by default. A test that waits for commits after a kill need not wait so long.
 */
export const quickCommits = { SLUICE_BULK_TIMEOUT_MS: '10000' };
