// Batches by number, as the edge puts them into the queue: whoever appends one, today or late, and whoever looks for
// its documents make the same of it. And how a life of a data folder goes on between its kills.

import { createHash } from 'node:crypto';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { encodeBatches, type QueueRecord } from '#shared/record/record.ts';

/** What a process of a life does; one data folder, one life. */
export interface Life {
  readonly dataDir: string;
  /** Of messages, about: they hardly shrink. */
  readonly messageBytes: number;
  readonly bytesMax: number | null;
  readonly retentionMs: number;
  /** How much faster time passes for the store. */
  readonly haste: number;
  /** Where its time begins, ms since the epoch by the clock of the machine. */
  readonly startMs: number;
  /** Whether the files are made small again and again, as by `sluice store compact`. */
  readonly compacts: boolean;
  /** How many batches back a repeat may be. */
  readonly latest: number;
}

const START_S = Date.UTC(2026, 0, 1) / 1000;
/** Of a tag. */
export const TAG = 'killed';

/** Documents of the batch. */
export const sizeOf = (number: number): number => (number % 5 === 0 ? 1 + ((number * 7) % 120) : 1 + (number % 4));

export function messageOf(number: number, index: number, bytes: number): string {
  const noise = createHash('shake256', { outputLength: Math.ceil((bytes * 3) / 4) }).update(`${number} ${index}`);
  return `event ${number} ${index} ${noise.digest('base64')}`;
}

export function recordOf(number: number, { messageBytes }: Pick<Life, 'messageBytes'>): QueueRecord {
  const writer = new MsgpackWriter();
  const count = sizeOf(number);
  for (let i = 0; i < count; i++) {
    writer.arrayHeader(2);
    writer.eventTime(START_S + number, i * 1000);
    writer.mapHeader(2);
    writer.string('log');
    writer.string(messageOf(number, i, messageBytes));
    writer.string('container_name');
    writer.string(`/c${number % 3}`);
  }
  const id = createHash('sha256').update(`batch ${number}`).digest().subarray(0, 16);
  const batch = {
    id,
    first: 0,
    count,
    tag: TAG,
    input: 'forward',
    tenant: null,
    receivedMs: START_S * 1000 + number * 1000,
    seq: number * 1000,
    sender: 'node-1',
    version: 2,
    chain: null,
  } as const;
  return { encoding: 'identity', batches: encodeBatches([batch]), value: writer.take() };
}
