// Appends to the queue behind the spool: a group of records as they were spooled, or, if the queue refuses a record for
// good, smaller records. An event that is refused even alone becomes a dead letter, so that it does not delay the
// others.

import { reasonOf, SluiceError } from '#shared/errors.ts';
import type { QueueRecord } from '#shared/record/record.ts';
import { recordBytes } from '../../headers.ts';
import type { DeadLetter, Queue } from '../../queue.ts';
import type { FeedItem } from './feed-window.ts';
import { deadLettersOfRefused } from './refused-record.ts';
import { splitRecord } from './split-record.ts';

export class UpstreamAppends {
  readonly #upstream: Queue;
  readonly #signal: AbortSignal;

  /** `signal`: aborted when the feeder stops. */
  constructor(upstream: Queue, signal: AbortSignal) {
    this.#upstream = upstream;
    this.#signal = signal;
  }

  /** Resolves when the queue, or its dead letters, have all of the group. */
  async send(partition: number, group: readonly FeedItem[]): Promise<void> {
    const upstream = this.#upstream;
    if (upstream.partitions === 0) await upstream.opened(this.#signal);
    const records: QueueRecord[] = [];
    const deadLetters: DeadLetter[] = [];
    for (const { entry } of group) {
      if (entry.kind === 'record') records.push(entry.record);
      else deadLetters.push(entry.deadLetter);
    }
    if (deadLetters.length > 0) await upstream.appendDeadLetters(deadLetters);
    // The topic may have fewer partitions than it was thought to have when this was spooled.
    if (records.length > 0) await upstream.append(partition % upstream.partitions, records);
  }

  /**
   * The queue will never take the item as it is. Resolves to how many of its events are dead letters; the others are in
   * the queue. Rejects where not even the dead letters take them: an operator has to find out why.
   */
  async sendRefused(partition: number, { entry, events }: FeedItem, refusal: unknown): Promise<number> {
    const upstream = this.#upstream;
    if (entry.kind === 'dead-letter') {
      await upstream.appendDeadLetters([entry.deadLetter]);
      return events;
    }
    const refused = await splitRecord(entry.record, (piece) => this.#accepts(partition, piece));
    const deadLetters: DeadLetter[] = [];
    for (const piece of refused) deadLetters.push(...(await deadLettersOfRefused(piece, reasonOf(refusal))));
    if (deadLetters.length > 0) await upstream.appendDeadLetters(deadLetters);
    return refused[0] === entry.record ? events : refused.length;
  }

  /** False where the queue refuses it: it may take less than it says. */
  async #accepts(partition: number, piece: QueueRecord): Promise<boolean> {
    const upstream = this.#upstream;
    if (recordBytes(piece) > upstream.appendBytesMax) return false;
    // Whoever stops does not wait for many pieces.
    this.#signal.throwIfAborted();
    try {
      await upstream.append(partition % upstream.partitions, [piece]);
      return true;
    } catch (error) {
      if (isRefusal(error)) return false;
      throw error;
    }
  }
}

/** Whether the queue said that it will never take this very thing. What an operator can mend has other codes. */
export function isRefusal(error: unknown): boolean {
  return error instanceof SluiceError && error.code === 'queue_refused';
}
