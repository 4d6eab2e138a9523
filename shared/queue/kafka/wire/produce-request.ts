// Encodes produce requests in one pass. kafkajs's own encoder copies each value six times and takes its checksum byte
// by byte, which is more work than compressing the value.
//
//   request       transactional id i16 = -1 | acks i16 | timeout i32 | topics i32 × topic
//   topic         name i16 + UTF-8 | partitions i32 × (partition i32 | batch bytes i32 | batch)
//   batch         base offset i64 = 0 | bytes after this i32 | leader epoch i32 = -1 | magic i8 = 2 |
//                 CRC-32C u32 of all that follows | attributes i16 = 0 | last offset delta i32 |
//                 first time i64 | last time i64 |
//                 producer id i64 = -1 | producer epoch i16 = -1 | first sequence i32 = -1 | records i32 × record
//   record        bytes after this v | attributes i8 = 0 | time delta v = 0 | offset delta v | key bytes v = -1 |
//                 value bytes v | value | headers v × (name bytes v | name | value bytes v | value)
//
// v: zigzag varint. https://kafka.apache.org/protocol#The_Messages_Produce (versions 3 to 8),
// https://kafka.apache.org/documentation/#recordbatch

import assert from 'node:assert/strict';
import { crc32c } from './crc32c.ts';

export interface ProduceRequest {
  readonly acks: number;
  readonly timeout: number;
  readonly topicData: readonly {
    readonly topic: string;
    readonly partitions: readonly { readonly partition: number; readonly messages: readonly ProducedMessage[] }[];
  }[];
}

interface ProducedMessage {
  readonly value: Uint8Array;
  readonly headers: Readonly<Record<string, Uint8Array>>;
}

const BATCH_HEADER_BYTES = 61;
// What stands before the bytes that a batch's own length counts, and its checksum covers.
const BATCH_LENGTH_END = 12;
const BATCH_CRC_END = 21;
const MAGIC = 2;

/** `nowMs` is the time of all records, where the topic does not set its own. */
export function encodeProduceRequest(request: ProduceRequest, nowMs: number): Buffer {
  const out = new Out(requestBytes(request));
  out.i16(-1);
  out.i16(request.acks);
  out.i32(request.timeout);
  out.i32(request.topicData.length);
  for (const { topic, partitions } of request.topicData) {
    out.i16(Buffer.byteLength(topic));
    out.text(topic);
    out.i32(partitions.length);
    for (const { partition, messages } of partitions) {
      out.i32(partition);
      out.i32(batchBytes(messages));
      putBatch(out, messages, nowMs);
    }
  }
  assert(out.at === out.bytes.length, 'the request has the size that was counted');
  return out.bytes;
}

function putBatch(out: Out, messages: readonly ProducedMessage[], nowMs: number): void {
  const start = out.at;
  const bytes = batchBytes(messages);
  out.i64(0);
  out.i32(bytes - BATCH_LENGTH_END);
  out.i32(-1);
  out.i8(MAGIC);
  out.i32(0);
  out.i16(0);
  out.i32(messages.length - 1);
  out.i64(nowMs);
  out.i64(nowMs);
  out.i64(-1);
  out.i16(-1);
  out.i32(-1);
  out.i32(messages.length);
  for (const [offsetDelta, message] of messages.entries()) putRecord(out, message, offsetDelta);
  out.bytes.writeUInt32BE(crc32c(out.bytes, start + BATCH_CRC_END, start + bytes), start + BATCH_CRC_END - 4);
}

function putRecord(out: Out, { value, headers }: ProducedMessage, offsetDelta: number): void {
  out.varint(bodyBytes({ value, headers }, offsetDelta));
  out.i8(0);
  out.varint(0);
  out.varint(offsetDelta);
  out.varint(-1);
  out.varint(value.length);
  out.blob(value);
  const names = Object.keys(headers);
  out.varint(names.length);
  for (const name of names) {
    out.varint(Buffer.byteLength(name));
    out.text(name);
    const header = headers[name] ?? EMPTY;
    out.varint(header.length);
    out.blob(header);
  }
}

const EMPTY = new Uint8Array();

function requestBytes({ topicData }: ProduceRequest): number {
  let sum = 2 + 2 + 4 + 4;
  for (const { topic, partitions } of topicData) {
    sum += 2 + Buffer.byteLength(topic) + 4;
    for (const { messages } of partitions) sum += 4 + 4 + batchBytes(messages);
  }
  return sum;
}

function batchBytes(messages: readonly ProducedMessage[]): number {
  let sum = BATCH_HEADER_BYTES;
  for (const [offsetDelta, message] of messages.entries()) {
    const body = bodyBytes(message, offsetDelta);
    sum += varintBytes(body) + body;
  }
  return sum;
}

function bodyBytes({ value, headers }: ProducedMessage, offsetDelta: number): number {
  // Attributes, time delta and key length are a byte each.
  let sum = 3 + varintBytes(offsetDelta) + varintBytes(value.length) + value.length;
  let count = 0;
  for (const name in headers) {
    const nameBytes = Buffer.byteLength(name);
    const header = headers[name] ?? EMPTY;
    sum += varintBytes(nameBytes) + nameBytes + varintBytes(header.length) + header.length;
    count++;
  }
  return sum + varintBytes(count);
}

/** Of a number from 0 to 2^30. */
function varintBytes(value: number): number {
  const zigzag = value << 1;
  return zigzag < 0x80 ? 1 : Math.ceil((32 - Math.clz32(zigzag)) / 7);
}

/** A buffer of known size that is filled from the front. */
class Out {
  readonly bytes: Buffer;
  at = 0;

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafe(size);
  }

  i8(value: number): void {
    this.at = this.bytes.writeInt8(value, this.at);
  }

  i16(value: number): void {
    this.at = this.bytes.writeInt16BE(value, this.at);
  }

  i32(value: number): void {
    this.at = this.bytes.writeInt32BE(value, this.at);
  }

  i64(value: number): void {
    this.at = this.bytes.writeBigInt64BE(BigInt(value), this.at);
  }

  varint(value: number): void {
    let rest = ((value << 1) ^ (value >> 31)) >>> 0;
    for (; rest > 0x7f; rest >>>= 7) this.at = this.bytes.writeUInt8((rest & 0x7f) | 0x80, this.at);
    this.at = this.bytes.writeUInt8(rest, this.at);
  }

  text(value: string): void {
    this.at += this.bytes.write(value, this.at);
  }

  blob(value: Uint8Array): void {
    this.bytes.set(value, this.at);
    this.at += value.length;
  }
}
