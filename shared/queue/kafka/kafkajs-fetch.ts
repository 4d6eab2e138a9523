// What kafkajs gets wrong in what it fetches; called by kafkajs.ts. It knows no zstd at the level of Kafka's record
// batches (a topic may be set to it), unpacks gzip without a limit, and fails for ever at some batches (foreign-batches.ts).

import { setImmediate as nextTurn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzip, unzip, zstdCompress, zstdDecompress } from 'node:zlib';
import kafkajs from 'kafkajs';
import fetchRequests from 'kafkajs/src/protocol/requests/fetch/index.js';
import listOffsetsRequests from 'kafkajs/src/protocol/requests/listOffsets/index.js';
import { withEndMarks } from './fetch/end-marks.ts';
import { type Inflate, INFLATED_BYTES_MAX, mendFetchAnswer } from './foreign-batches.ts';

/** Of what is read: see `readUncommitted` of our consumers. */
const READ_UNCOMMITTED = 0;
/** Record batches came with it; below it there are none. */
const FETCH_VERSION_MIN = 4;

const { GZIP, ZSTD } = kafkajs.CompressionTypes;
const inflates = new Map<number, Inflate>([
  [GZIP, inflateWith(promisify(unzip))],
  [ZSTD, inflateWith(promisify(zstdDecompress))],
]);
const deflateGzip = promisify(gzip);
const deflateZstd = promisify(zstdCompress);
const deflates = new Map<1 | 4, (bytes: Buffer) => Promise<Buffer>>([
  [GZIP, (bytes: Buffer) => deflateGzip(bytes)],
  [ZSTD, (bytes: Buffer) => deflateZstd(bytes)],
]);
/** What was unpacked to be looked at: by the memory of the answer, which small ones share, then by the place in it. */
const unpackedIn = new WeakMap<ArrayBufferLike, Map<number, Buffer>>();

/** To be called once, before anything is fetched. */
export function mendFetching(): void {
  for (const [codec, deflate] of deflates) {
    kafkajs.CompressionCodecs[codec] = () => ({
      compress: ({ buffer }: { buffer: Buffer }) => deflate(buffer),
      decompress: async (packed: Buffer) => {
        const bytes = unpackedIn.get(packed.buffer)?.get(packed.byteOffset);
        // Each batch has a turn of its own to be decoded.
        if (bytes !== undefined) return nextTurn(bytes);
        // Of a time before record batches: nobody has looked at it.
        const unpacked = await inflates.get(codec)?.(packed, INFLATED_BYTES_MAX);
        if (!unpacked) throw new kafkajs.KafkaJSNonRetriableError('Cannot unpack a message: it is too large');
        return unpacked;
      },
    });
  }

  // A log ends where our consumers may read to. kafkajs asks for the last stable offset, which stands still while a transaction is open.
  const listOffsetsRequestOf = listOffsetsRequests.protocol;
  listOffsetsRequests.protocol = ({ version }) => {
    const make = listOffsetsRequestOf({ version });
    return (options) => make({ ...options, isolationLevel: READ_UNCOMMITTED });
  };

  // Before kafkajs decodes what was fetched, the batches that it cannot bear are made harmless.
  const fetchRequestOf = fetchRequests.protocol;
  fetchRequests.protocol = ({ version }) => {
    const make = fetchRequestOf({ version });
    if (version < FETCH_VERSION_MIN) return make;
    return (options) => {
      const made = make(options);
      const { response } = made;
      const decode = async (answer: Buffer): Promise<unknown> => {
        const found = unpackedIn.get(answer.buffer) ?? new Map<number, Buffer>();
        unpackedIn.set(answer.buffer, found);
        const places: number[] = [];
        const unpacked = (packed: Buffer, bytes: Buffer): void => {
          places.push(packed.byteOffset);
          found.set(packed.byteOffset, bytes);
        };
        try {
          const ends = await mendFetchAnswer(answer, version, { inflates, unpacked, begin: Math.random() });
          return withEndMarks(await response.decode(answer), ends);
        } finally {
          for (const place of places) found.delete(place);
        }
      };
      return { ...made, response: { ...response, decode } };
    };
  };
}

function inflateWith(inflate: (packed: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>): Inflate {
  return async (packed, maxOutputLength) => {
    try {
      return await inflate(packed, { maxOutputLength });
    } catch (error) {
      if (error instanceof RangeError && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') return null;
      throw error;
    }
  };
}
