// Events in the form that Lambda gives them, made of the records that a forwarder writes.

import { encode } from '@msgpack/msgpack';
import type { KafkaEvent, KafkaEventRecord } from '#lambda/kafka-event.ts';
import { headedRecord } from '#shared/queue/headers.ts';
import { compress } from '#shared/record/compression.ts';
import { hashedIdentity } from '#shared/record/identity.ts';
import { encodeBatches } from '#shared/record/record.ts';

export interface RecordOptions {
  readonly partition?: number;
  readonly offset: number;
  readonly tag: string;
  /** Records of the events. */
  readonly events: readonly Readonly<Record<string, unknown>>[];
}

export async function kafkaRecord({ partition = 0, offset, tag, events }: RecordOptions): Promise<KafkaEventRecord> {
  const nowMs = Date.now();
  const value = await compress(Buffer.concat(events.map((event) => encode([Math.floor(nowMs / 1000), event]))));
  const batches = encodeBatches([
    {
      id: hashedIdentity(nowMs, `${tag}/${partition}/${offset}`),
      first: 0,
      count: events.length,
      tag,
      input: 'forward',
      tenant: null,
      receivedMs: nowMs,
      seq: nowMs * 1000 + offset * 1000,
      sender: '127.0.0.1',
      version: 2,
      chain: null,
    },
  ]);
  const { headers } = headedRecord({ encoding: 'zstd', batches, value });
  return {
    topic: 'sluice.logs',
    partition,
    offset,
    timestamp: nowMs,
    value: value.toString('base64'),
    headers: Object.entries(headers).map(([name, bytes]) => ({ [name]: [...bytes] })),
  };
}

export function kafkaEvent(records: readonly KafkaEventRecord[]): KafkaEvent {
  const byPartition: Record<string, KafkaEventRecord[]> = {};
  for (const record of records) (byPartition[`${record.topic}-${record.partition}`] ??= []).push(record);
  return { records: byPartition };
}
