// Limits the events of a batch by its bytes. A batch of the smallest entries, or of a few entries under a long tag,
// would cost the queue, the indexer and the store far more than its sender. Intake asks, so that no input can forget
// it; decoders ask as they go, so that what is refused costs no memory.
//
// Guarantees: pure; constant time, except for tags whose batch is near the limit.

import { SluiceError } from '#shared/errors.ts';

export interface BatchSize {
  readonly count: number;
  readonly tag: string;
  /** Of its entries, uncompressed. */
  readonly bytes: number;
}

/**
 * A batch may have so many events however small they are; beyond that, each must have some bytes.
 * What one sender may bring in many batches is limited by the same numbers (admit/event-debts.ts).
 */
export const EVENTS_FREE = 100_000;
export const EVENT_BYTES_MIN = 16;
/**
 * What the tags of a batch's documents may take together; a document has its tag as JSON. Any tag may come with a few
 * events, any of an ordinary length with any number; beyond that they are paid for with bytes that were sent.
 */
const TAG_BYTES_FREE = 4 * 1024;
const TAG_BYTES_OF_EVENT = 256;
const TAG_BYTES_RATIO = 8;
/** Of a UTF-16 unit as JSON: \u0000. */
const JSON_BYTES_MAX = 6;
const QUOTES_BYTES = 2;

/** Why the batch has too many events for its bytes; null where it has not. */
export function excessOf({ count, tag, bytes }: BatchSize): string | null {
  const excess = countExcessOf({ count, bytes });
  if (excess !== null) return excess;
  const tagBytesMax = Math.max(TAG_BYTES_FREE, count * TAG_BYTES_OF_EVENT + (bytes + tag.length) * TAG_BYTES_RATIO);
  if (count * tag.length * JSON_BYTES_MAX <= tagBytesMax) return null;
  const tagBytes = count * (Buffer.byteLength(JSON.stringify(tag)) - QUOTES_BYTES);
  if (tagBytes <= tagBytesMax) return null;
  return `the tag, once for each of ${count} events, takes ${tagBytes} bytes, more than ${tagBytesMax}`;
}

/** @param bytes that the sender wrote, uncompressed */
export function eventsMaxOf(bytes: number): number {
  return Math.max(EVENTS_FREE, Math.floor(bytes / EVENT_BYTES_MIN));
}

/** Why so many events are too many for their bytes; null where they are not. */
export function countExcessOf({ count, bytes }: { readonly count: number; readonly bytes: number }): string | null {
  if (count <= EVENTS_FREE || count <= eventsMaxOf(bytes)) return null;
  const excess = `more than ${EVENTS_FREE}, and have less than ${EVENT_BYTES_MIN} bytes each`;
  return `${count} events or more in ${bytes} bytes are ${excess}`;
}

/** Throws too_many_events. */
export function refuseExcess(size: { readonly count: number; readonly bytes: number }): void {
  const excess = countExcessOf(size);
  if (excess !== null) throw new SluiceError('too_many_events', `Cannot take events: ${excess}; send fewer at once`);
}
