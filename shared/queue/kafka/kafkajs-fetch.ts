// What kafkajs gets wrong in what it fetches; called by kafkajs.ts. It knows no zstd at the level of Kafka's record
// batches (a topic may be set to it), unpacks gzip without a limit, and fails for ever at some batches (foreign-batches.ts).

import { promisify } from 'node:util';
import { gzip, unzip, zstdCompress, zstdDecompress } from 'node:zlib';
import kafkajs from 'kafkajs';
import fetchRequests from 'kafkajs/src/protocol/requests/fetch/index.js';
import { type Inflate, mendFetchAnswer } from './foreign-batches.ts';

/** Of one batch. */
const INFLATED_BYTES_MAX = 128 * 1024 * 1024;
/** Record batches came with it; below it there are none. */
const FETCH_VERSION_MIN = 4;

const inflateGzip = promisify(unzip);
const inflateZstd = promisify(zstdDecompress);
const limits = { maxOutputLength: INFLATED_BYTES_MAX };
const { GZIP, ZSTD } = kafkajs.CompressionTypes;
const inflates = new Map<number, Inflate>([
  [GZIP, (bytes) => inflateGzip(bytes, limits)],
  [ZSTD, (bytes) => inflateZstd(bytes, limits)],
]);
const deflateGzip = promisify(gzip);
const deflateZstd = promisify(zstdCompress);
const deflates = new Map<1 | 4, Inflate>([
  [GZIP, (bytes: Buffer) => deflateGzip(bytes)],
  [ZSTD, (bytes: Buffer) => deflateZstd(bytes)],
]);
/** What was unpacked to be looked at: by the memory of the answer, then by the place in it. */
const unpackedIn = new WeakMap<ArrayBufferLike, Map<number, Buffer>>();

/** To be called once, before anything is fetched. */
export function mendFetching(): void {
  for (const [codec, deflate] of deflates) {
    kafkajs.CompressionCodecs[codec] = () => ({
      compress: ({ buffer }: { buffer: Buffer }) => deflate(buffer),
      decompress: (packed: Buffer) =>
        unpackedIn.get(packed.buffer)?.get(packed.byteOffset) ?? inflates.get(codec)?.(packed),
    });
  }

  // Before kafkajs decodes what was fetched, the batches that it cannot bear are made harmless.
  const fetchRequestOf = fetchRequests.protocol;
  fetchRequests.protocol = ({ version }) => {
    const make = fetchRequestOf({ version });
    if (version < FETCH_VERSION_MIN) return make;
    return (options) => {
      const made = make(options);
      const { response } = made;
      const decode = async (answer: Buffer): Promise<unknown> => {
        const found = new Map<number, Buffer>();
        const unpacked = (packed: Buffer, bytes: Buffer) => found.set(packed.byteOffset, bytes);
        await mendFetchAnswer(answer, version, { inflates, unpacked });
        unpackedIn.set(answer.buffer, found);
        return response.decode(answer).finally(() => unpackedIn.delete(answer.buffer));
      };
      return { ...made, response: { ...response, decode } };
    };
  };
}
