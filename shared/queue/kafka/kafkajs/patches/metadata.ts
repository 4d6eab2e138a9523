// Symptom: a topic that was deleted and made anew under the same name cannot be told from the old one: kafkajs knows
// metadata up to version 6, without topic ids. Version 12 is the first that is sure to tell them, and tells leader
// epochs as well. Older brokers get what they know.
// Upstream: https://github.com/tulios/kafkajs/issues/818, open, is about the epochs; no issue known about topic ids.

import metadataRequests from 'kafkajs/src/protocol/requests/metadata/index.js';
import { decodeMetadataResponse, encodeMetadataRequest } from '../../wire/log-requests.ts';
import { type EncodedBytes, encoded } from './encoder.ts';
import { checkLastVersion, patch } from './patch.ts';

const AT = 'src/protocol/requests/metadata/index.js';
const VERSION = 12;
const VERSION_MAX_ORIGINAL = 6;

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
      const decode = (bytes: Buffer) => Promise.resolve(decodeMetadataResponse(bytes));
      return {
        request: { ...made.request, apiVersion: VERSION, encode },
        response: { ...made.response, decode },
      };
    };
  });
  metadataRequests.versions = [...metadataRequests.versions, String(VERSION)];
}
