// The queue record, version 1: the one format in the queue, as published in docs/record-format.md.
//
//   value     a run of msgpack entries [time, record], one batch after another, compressed as one
//   headers   v         "1"
//             encoding  "identity" | "gzip" | "zstd"
//             batches   msgpack array, one element a batch, in the order of the value:
//                       [id (bin 16), first, count, tag, input, tenant | nil, received (ms), seq, sender]
//
// Entry k of a batch has the index first + k; `_id` of its document is hex(id) + "-" + index.

export type Encoding = 'identity' | 'gzip' | 'zstd';

export const RECORD_VERSION = '1';

/** What is known of a run of entries that came in together. */
export interface Batch {
  /** 16 bytes; see identity.ts. */
  readonly id: Uint8Array;
  /** Index of the first entry here, above 0 where a large chunk was split over several records. */
  readonly first: number;
  readonly count: number;
  /** Valid UTF-8, at most 1 KiB. */
  readonly tag: string;
  readonly input: string;
  readonly tenant: string | null;
  /** Milliseconds since the epoch at which the edge accepted the batch. */
  readonly receivedMs: number;
  /** Order of arrival at the edge: max(microseconds since the epoch, last seq + last count). Belongs to entry `first` = 0. */
  readonly seq: number;
  /** Hostname of an authenticated sender, else the peer's address. */
  readonly sender: string;
}

/** A record as it is appended to a queue. */
export interface QueueRecord {
  readonly encoding: Encoding;
  /** The encoded `batches` header. */
  readonly batches: Uint8Array;
  readonly value: Uint8Array;
}

export declare function encodeBatches(batches: readonly Batch[]): Buffer;
/** Null where the bytes are not such a table. Never throws. */
export declare function decodeBatches(bytes: Uint8Array): Batch[] | null;
