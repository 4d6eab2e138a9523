// Names of other people's records: events from a topic that Sluice did not write. Such a record has no identity of its
// own but where it lies, and that place comes again with a topic that was made anew; so the topic's id, where it is
// known, its time and its content are part of the name too.
//
//   identity (16)   the record's timestamp, ms (6), 0 if it is out of range | the first ten bytes of SHA-256 over:
//                   length (u32) topic | 4 (u32) partition (u32) | 8 (u32) offset (u64) |
//                   8 (u32) timestamp (f64) | 4 (u32) crc32 (u32) | where it is known: length (u32) topic id
//
// All numbers are big-endian. The index of an event is its number in the record's value, from 0.

import { hashedIdentity } from './identity.ts';

/** Inputs of such events: as a rule reads them, and as the text that they are where it cannot. */
export const FOREIGN_INPUT = 'kafka';
export const FOREIGN_TEXT_INPUT = 'kafka_text';

export interface ForeignRecord {
  readonly topic: string;
  /** As the brokers give it, base64url; null where nobody knows it. */
  readonly topicId?: string | null;
  readonly partition: number;
  readonly offset: number;
  /** As the broker gives it, ms since the epoch; may be -1. */
  readonly timestampMs: number;
  /** CRC-32 (zlib) of the record's value. */
  readonly valueCrc32: number;
}

export function foreignRecordIdentity(record: ForeignRecord): Buffer {
  const topic = Buffer.from(record.topic);
  const topicId = Buffer.from(record.topicId ?? '');
  const idBytes = topicId.length === 0 ? 0 : 4 + topicId.length;
  const bytes = Buffer.allocUnsafe(4 + topic.length + 8 + 12 + 12 + 8 + idBytes);
  let at = bytes.writeUInt32BE(topic.length, 0);
  bytes.set(topic, at);
  at += topic.length;
  at = bytes.writeUInt32BE(4, at);
  at = bytes.writeUInt32BE(record.partition, at);
  at = bytes.writeUInt32BE(8, at);
  at = bytes.writeBigUInt64BE(BigInt(record.offset), at);
  at = bytes.writeUInt32BE(8, at);
  at = bytes.writeDoubleBE(record.timestampMs, at);
  at = bytes.writeUInt32BE(4, at);
  at = bytes.writeUInt32BE(record.valueCrc32, at);
  if (idBytes > 0) bytes.set(topicId, bytes.writeUInt32BE(topicId.length, at));
  return hashedIdentity(record.timestampMs, bytes);
}
