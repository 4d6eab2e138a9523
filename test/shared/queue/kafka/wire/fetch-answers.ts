// Fetch answers by hand, with batches that foreign producers may write, as kafkajs decodes them once its patches are
// loaded.

import assert from 'node:assert/strict';
import fetchRequests from 'kafkajs/src/protocol/requests/fetch/index.js';
import { NO_COMPRESSION } from '#shared/queue/kafka/kafkajs/client.ts';

// What was imported has loaded the patches, also where a test uses nothing else of it.
assert.equal(NO_COMPRESSION, 0);

export interface Decoded {
  readonly responses: readonly {
    readonly partitions: readonly {
      readonly messages: readonly {
        readonly offset: string;
        readonly value: Buffer | null;
        readonly headers: Record<string, Buffer>;
      }[];
    }[];
  }[];
}

const i16 = (value: number) => Buffer.from([(value >> 8) & 0xff, value & 0xff]);
const i32 = (value: number) =>
  Buffer.from([(value >> 24) & 0xff, (value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff]);
const i64 = (value: number) => Buffer.concat([i32(Math.floor(value / 2 ** 32)), i32(value % 2 ** 32)]);

export function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return Buffer.from([...bytes, rest]);
}

export const sized = (bytes: Buffer) => Buffer.concat([varint(bytes.length), bytes]);

export function recordOf(delta: number, value: Buffer, headers = 1): Buffer {
  const header = Buffer.concat([sized(Buffer.from('v')), sized(Buffer.from('2'))]);
  const given = Array.from({ length: headers }, () => header);
  const head = [Buffer.from([0]), varint(0), varint(delta), varint(-1)];
  return sized(Buffer.concat([...head, sized(value), varint(headers), ...given]));
}

export interface BatchParts {
  readonly codec?: number;
  readonly count?: number;
  readonly lastDelta?: number;
  readonly bytes: Buffer;
}

export function batchOf(offset: number, { codec = 0, count = 1, lastDelta = count - 1, bytes }: BatchParts): Buffer {
  const rest = [
    i32(3),
    Buffer.from([2]),
    i32(0),
    i16(codec),
    i32(lastDelta),
    i64(1000),
    i64(1000),
    i64(-1),
    i16(-1),
    i32(-1),
  ];
  const body = Buffer.concat([...rest, i32(count), bytes]);
  return Buffer.concat([i64(offset), i32(body.length), body]);
}

/** Of one topic with these partitions. */
export function answerOf(partitions: readonly (readonly Buffer[])[], version: number): Buffer {
  const session = version >= 7 ? [i16(0), i32(0)] : [];
  const told = partitions.flatMap((batches, partition) => {
    const records = Buffer.concat(batches);
    const start = version >= 5 ? [i64(0)] : [];
    const replica = version >= 11 ? [i32(-1)] : [];
    return [
      i32(partition),
      i16(0),
      i64(99),
      i64(99),
      ...start,
      i32(1),
      i64(7),
      i64(8),
      ...replica,
      i32(records.length),
      records,
    ];
  });
  return Buffer.concat([i32(0), ...session, i32(1), i16(1), Buffer.from('t'), i32(partitions.length), ...told]);
}

export async function decoded(partitions: readonly (readonly Buffer[])[], version = 11) {
  const { response } = fetchRequests.protocol({ version })({ topics: [] });
  const answer = (await response.decode(answerOf(partitions, version))) as Decoded;
  return answer.responses[0]?.partitions.map(({ messages }) =>
    messages.map(({ offset, value, headers }) => [
      Number(offset),
      value?.toString() ?? null,
      Object.keys(headers).length,
    ]),
  );
}

export const one = (text: string) => recordOf(0, Buffer.from(text));
export const plain = (offset: number) => batchOf(offset, { bytes: one('plain') });
export const many = (count: number) =>
  Buffer.concat(Array.from({ length: count }, (_, delta) => recordOf(delta, Buffer.from('x'), 0)));

export const at = (...deltas: number[]) => ({
  count: deltas.length,
  bytes: Buffer.concat(deltas.map((delta) => recordOf(delta, Buffer.from('x'), 0))),
});

/** What is left of each partition, as kafkajs sees it. */
export async function offsetsOf(partitions: readonly (readonly Buffer[])[]): Promise<number[][] | undefined> {
  const { response } = fetchRequests.protocol({ version: 11 })({ topics: [] });
  const answer = (await response.decode(answerOf(partitions, 11))) as Decoded;
  return answer.responses[0]?.partitions.map(({ messages }) => messages.map(({ offset }) => Number(offset)));
}
