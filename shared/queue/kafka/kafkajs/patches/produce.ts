// Symptom: it takes longer to encode a value than to compress it. kafkajs copies each one six times and takes its
// checksum byte by byte. Ours are encoded in one pass, from what kafkajs has grouped by broker and partition; the rest
// of the way stays its own. Requests that are compressed or in a transaction stay its own as well.
// Upstream: https://github.com/tulios/kafkajs/issues/383, closed after a first step.

import kafkajs from 'kafkajs';
import produceRequests from 'kafkajs/src/protocol/requests/produce/index.js';
import { encodeProduceRequest } from '../../wire/produce-request.ts';
import { type EncodedBytes, encoded } from './encoder.ts';
import { checkLastVersion, patch } from './patch.ts';

const AT = 'src/protocol/requests/produce/index.js';
/** Record batches came with it. */
const VERSION_MIN = 3;
/** The last one that has the fields that ours are encoded with. */
const VERSION_MAX = 7;

export function patchProduce(): void {
  checkLastVersion(AT, produceRequests.versions, VERSION_MAX);
  patch({ at: AT, owner: produceRequests, name: 'protocol', parameters: 1 }, (original) => ({ version }) => {
    const make = original({ version });
    return (options) => {
      const made = make(options);
      const isOurs = options.compression === kafkajs.CompressionTypes.None && options.transactionalId === undefined;
      if (version < VERSION_MIN || !isOurs) return made;
      const encode = (): Promise<EncodedBytes> => Promise.resolve(encoded(encodeProduceRequest(options, Date.now())));
      return { ...made, request: { ...made.request, encode } };
    };
  });
}
