// Appends to the queue behind the spool: a group of records as they were spooled, or, if the queue refuses a record for
// good, smaller records. An event that is refused even alone becomes a dead letter, so that it does not delay the
// others. While the dead letters take nothing, only these events are tried again: what was taken is not sent twice.

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
  /** What is left of items that were taken apart, and why. */
  readonly #left = new WeakMap<FeedItem, { readonly pieces: readonly QueueRecord[]; readonly refusal: unknown }>();

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

  /** Why the item was taken apart; undefined where it was not: then it is to be sent whole. */
  refusalOf(item: FeedItem): unknown {
    return this.#left.get(item)?.refusal;
  }

  /**
   * The queue will never take the item as it is. Resolves to how many of its events are dead letters; the others are in
   * the queue. Rejects where not even the dead letters take them: an operator has to find out why.
   */
  async sendRefused(partition: number, item: FeedItem, refusal: unknown): Promise<number> {
    const upstream = this.#upstream;
    const { entry, events } = item;
    if (entry.kind === 'dead-letter') {
      await upstream.appendDeadLetters([entry.deadLetter]);
      return events;
    }
    const refused = await this.#refusedOf(partition, item, entry.record);
    const deadLetters: DeadLetter[] = [];
    for (const piece of refused) deadLetters.push(...(await deadLettersOfRefused(piece, reasonOf(refusal))));
    try {
      if (deadLetters.length > 0) await upstream.appendDeadLetters(deadLetters);
    } catch (error) {
      // Copies: a piece may be a view of all that was in the record.
      const pieces = refused.map((piece) => ({ ...piece, value: new Uint8Array(piece.value) }));
      if (refused[0] !== entry.record) this.#left.set(item, { pieces, refusal });
      throw error;
    }
    return refused[0] === entry.record ? events : refused.length;
  }

  /** What the queue refuses of it, now. */
  async #refusedOf(partition: number, item: FeedItem, record: QueueRecord): Promise<QueueRecord[]> {
    const left = this.#left.get(item);
    if (left === undefined) return splitRecord(record, (piece) => this.#accepts(partition, piece));
    const refused: QueueRecord[] = [];
    // An operator may have raised the limit meanwhile.
    for (const piece of left.pieces) if (!(await this.#accepts(partition, piece))) refused.push(piece);
    return refused;
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
