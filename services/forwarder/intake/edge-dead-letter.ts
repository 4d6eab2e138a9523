// The dead letters of the edge: what could not be decoded, and events that are too large for any record.

import type { DeadLetter } from '#shared/queue/queue.ts';
import { type Batch, encodeBatches } from '#shared/record/record.ts';
import { RECORD_VALUE_BYTES_MAX } from '#shared/record/value-limit.ts';
import type { Origin, Undecodable } from './chunk.ts';

type Facts = Omit<Undecodable, keyof Origin> & Pick<Origin, 'peerAddress'>;

export function edgeDeadLetter(batch: Batch, { bytes, reason, error, cut = false, peerAddress }: Facts): DeadLetter {
  return {
    batches: encodeBatches([batch]),
    reason,
    error,
    from: 'edge',
    value: bytes,
    cut,
    ...(peerAddress !== undefined && { peerAddress }),
  };
}

/** Of an event that the queue does not take in one record, or that no indexer would open. */
export function tooLargeDeadLetter(batch: Batch, bytes: Uint8Array): DeadLetter {
  const limit =
    bytes.length > RECORD_VALUE_BYTES_MAX
      ? `a record may hold, ${RECORD_VALUE_BYTES_MAX}`
      : 'the queue takes in one record';
  const error = `an event of ${bytes.length} bytes is larger than ${limit}`;
  return { ...edgeDeadLetter(batch, { bytes, reason: 'entry_too_large', error }), index: batch.first };
}
