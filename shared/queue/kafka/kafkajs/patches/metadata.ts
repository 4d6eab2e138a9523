// Symptom: a topic that was deleted and made anew under the same name cannot be told from the old one: kafkajs knows
// metadata up to version 6, without topic ids. Version 12 is the first that is sure to tell them, and tells leader
// epochs as well. Older brokers get what they know.
// Upstream: https://github.com/tulios/kafkajs/issues/818, open, is about the epochs; no issue known about topic ids.
//
// Symptom: while one partition has no leader, no client learns anything of any other, and once its metadata is too old
// it sends and fetches nothing at all: kafkajs takes the error of one partition for one of the whole answer. Here such
// a partition has no leader (-1), and only who asks for that one fails.
// Upstream: no upstream issue known.

import metadataRequests from 'kafkajs/src/protocol/requests/metadata/index.js';
import { decodeMetadataResponse, encodeMetadataRequest } from '../../wire/log-requests.ts';
import { type EncodedBytes, encoded } from './encoder.ts';
import { checkLastVersion, patch } from './patch.ts';

const AT = 'src/protocol/requests/metadata/index.js';
const VERSION = 12;
const VERSION_MAX_ORIGINAL = 6;
/** LEADER_NOT_AVAILABLE and LISTENER_NOT_FOUND: beside them the leader is -1. */
const WITHOUT_LEADER: ReadonlySet<number> = new Set([5, 72]);

export function patchMetadata(): void {
  checkLastVersion(AT, metadataRequests.versions, VERSION_MAX_ORIGINAL);
  patch({ at: AT, owner: metadataRequests, name: 'protocol', parameters: 1 }, (original) => ({ version }) => {
    const make = original({ version: Math.min(version, VERSION_MAX_ORIGINAL) });
    if (version < VERSION) return make;
    return (options) => {
      const made = make(options);
      const { topics, allowAutoTopicCreation = true } = options;
      const encode = (): Promise<EncodedBytes> =>
        Promise.resolve(encoded(encodeMetadataRequest(topics, allowAutoTopicCreation)));
      const decode = (bytes: Buffer) => Promise.resolve(withoutLeaders(decodeMetadataResponse(bytes)));
      return {
        request: { ...made.request, apiVersion: VERSION, encode },
        response: { ...made.response, decode },
      };
    };
  });
  metadataRequests.versions = [...metadataRequests.versions, String(VERSION)];
}

function withoutLeaders(answer: ReturnType<typeof decodeMetadataResponse>): typeof answer {
  for (const { partitionMetadata } of answer.topicMetadata)
    for (const partition of partitionMetadata)
      if (WITHOUT_LEADER.has(partition.partitionErrorCode)) partition.partitionErrorCode = 0;
  return answer;
}
