// How large a record's value may be, uncompressed: what an edge puts into one, and what an indexer opens. A record that
// is larger is one dead letter with everything in it, so neither side may have a limit of its own, nor may settings
// part them.
//
//   edge      |<-------- RECORD_VALUE_BYTES_MAX -------->|
//   indexer   |<------------------------------------------- openedBytesMax ->|
//
// Guarantee: whatever `frame.max_bytes` and `gather.record_bytes` are on either side, an indexer opens each record of
// an edge.

const MIB = 1024 * 1024;

/**
 * The most that an edge puts into one record. No entry that is larger becomes a document: `document.max_bytes` ends
 * here.
 */
export const RECORD_VALUE_BYTES_MAX = 64 * MIB;

/**
 * Earlier edges put an entry as large as a frame behind up to `gather.record_bytes` of others; such records may still
 * lie in a queue.
 */
const SLACK_BYTES = 16 * MIB;

/** The most that an indexer opens. Earlier edges let chunks pass as large as their `frame.max_bytes`. */
export function openedBytesMax(frameBytesMax: number): number {
  return Math.max(RECORD_VALUE_BYTES_MAX, frameBytesMax) + SLACK_BYTES;
}
