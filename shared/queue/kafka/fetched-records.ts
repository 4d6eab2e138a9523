// kafkajs's messages as the records that readers see.

import type { FetchedRecord } from '../queue.ts';
import type { KafkaMessage } from './kafkajs.ts';

const EMPTY = Buffer.alloc(0);

export function fetchedRecord(partition: number, message: KafkaMessage): FetchedRecord {
  const headers: Record<string, Uint8Array> = {};
  for (const name in message.headers) {
    // A header that was given more than once counts as it was given last.
    const given = message.headers[name];
    const value = Array.isArray(given) ? given.at(-1) : given;
    if (value !== undefined) headers[name] = typeof value === 'string' ? Buffer.from(value) : (value ?? EMPTY);
  }
  return {
    partition,
    offset: Number(message.offset),
    timestampMs: Number(message.timestamp),
    headers,
    value: message.value ?? EMPTY,
  };
}
