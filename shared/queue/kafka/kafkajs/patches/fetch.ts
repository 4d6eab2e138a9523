// Symptom: one batch of a foreign producer stops every consumer for good: kafkajs fails at some batches, unpacks others
// to any size, and asks for the same ones again. Before it decodes what was fetched, the batches that it cannot bear
// are made harmless (foreign-batches.ts).
// Upstream: https://github.com/tulios/kafkajs/pull/1723 and https://github.com/tulios/kafkajs/issues/1386, both open.

import fetchRequests from 'kafkajs/src/protocol/requests/fetch/index.js';
import { withEndMarks } from '../../wire/end-marks.ts';
import { mendFetchAnswer } from '../../wire/foreign-batches.ts';
import { dropUnpacked, inflates, keepUnpacked } from './codec.ts';
import { checkLastVersion, patch } from './patch.ts';

const AT = 'src/protocol/requests/fetch/index.js';
/** Record batches came with it; below it there are none. */
const VERSION_MIN = 4;
/** The last one whose answers ours can read. */
const VERSION_MAX = 11;

export function patchFetch(): void {
  checkLastVersion(AT, fetchRequests.versions, VERSION_MAX);
  patch({ at: AT, owner: fetchRequests, name: 'protocol', parameters: 1 }, (original) => ({ version }) => {
    const make = original({ version });
    if (version < VERSION_MIN) return make;
    return (options) => {
      const made = make(options);
      const { response } = made;
      const decode = async (answer: Buffer): Promise<unknown> => {
        const places: number[] = [];
        const unpacked = (packed: Buffer, bytes: Buffer): void => {
          places.push(packed.byteOffset);
          keepUnpacked(packed, bytes);
        };
        try {
          const ends = await mendFetchAnswer(answer, version, { inflates, unpacked, begin: Math.random() });
          return withEndMarks(await response.decode(answer), ends);
        } finally {
          dropUnpacked(answer, places);
        }
      };
      return { ...made, response: { ...response, decode } };
    };
  });
}
