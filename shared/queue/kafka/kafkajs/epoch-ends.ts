// Asks the leaders of a topic how far their logs go back unchanged: a request that kafkajs does not know
// (https://github.com/tulios/kafkajs/issues/818, open). It goes over kafkajs's own connections.

import type Cluster from 'kafkajs/src/cluster/index.js';
import { createErrorFromCode } from 'kafkajs/src/protocol/error.js';
import { decodeEpochResponse, encodeEpochRequest, type EpochEnd, type EpochQuestion } from '../wire/log-requests.ts';
import { encoded } from './patches/encoder.ts';

const NO_LEADER = -1;
const LEADER_NOT_AVAILABLE = 5;
const OFFSET_FOR_LEADER_EPOCH = { apiKey: 23, apiVersion: 3, apiName: 'OffsetForLeaderEpoch' };

/** Asks the leaders, each for its partitions. Disconnects the cluster. */
export async function fetchEpochEnds(
  cluster: Cluster,
  topic: string,
  questions: readonly EpochQuestion[],
): Promise<EpochEnd[]> {
  try {
    await cluster.connect();
    await cluster.addTargetTopic(topic);
    const leaders = new Map<number, number | null>();
    for (const { partitionId, leader } of cluster.findTopicPartitionMetadata(topic)) leaders.set(partitionId, leader);
    const asked = Map.groupBy(questions, ({ partition }) => leaders.get(partition) ?? NO_LEADER);
    if (asked.has(NO_LEADER)) throw createErrorFromCode(LEADER_NOT_AVAILABLE);
    const answers = [...asked].map(async ([nodeId, ofLeader]) => {
      const { connectionPool } = await cluster.findBroker({ nodeId: String(nodeId) });
      return connectionPool.send(epochProtocol(topic, ofLeader));
    });
    return (await Promise.all(answers)).flat();
  } finally {
    await cluster.disconnect().catch(() => undefined);
  }
}

function epochProtocol(topic: string, questions: readonly EpochQuestion[]) {
  return {
    request: {
      ...OFFSET_FOR_LEADER_EPOCH,
      encode: () => Promise.resolve(encoded(encodeEpochRequest(topic, questions))),
    },
    response: {
      decode: (bytes: Buffer) => Promise.resolve(decodeEpochResponse(bytes)),
      parse(ends: EpochEnd[]) {
        const failed = ends.find(({ errorCode }) => errorCode !== 0);
        return failed === undefined ? Promise.resolve(ends) : Promise.reject(createErrorFromCode(failed.errorCode));
      },
    },
  };
}
