// Reads a queue in memory once more, a range at a time; what is saved lives as long as the source. A test may remove
// records as retention does, and fail the reading.

import { setImmediate as turn } from 'node:timers/promises';
import { whenAborted } from '#shared/abort.ts';
import type { FetchedRecord } from '#shared/queue/queue.ts';
import type { OffsetSpan, RewindPosition, RewindRange, RewindSource } from '#shared/queue/rewind-source.ts';
import type { MemoryQueue } from './queue.ts';

export class MemoryRewindSource implements RewindSource {
  /** By name and partition. */
  readonly saved = new Map<string, Map<number, RewindPosition>>();
  /** Asked before each record; may throw, remove, or abort something. */
  before: (record: FetchedRecord) => void = () => undefined;
  /** Nothing more comes of this reading until it is ended. */
  hangs = false;
  /** A reading that is ended just ends. */
  isQuiet = false;
  /** Offsets that were handed over, by partition. */
  readonly handedOver: [partition: number, offset: number][] = [];
  readonly #queue: MemoryQueue;
  readonly #lows = new Map<number, number>();

  constructor(queue: MemoryQueue) {
    this.#queue = queue;
  }

  async locate({ fromMs, toMs, name }: { fromMs: number; toMs: number; name: string }): Promise<RewindRange[]> {
    return this.#queue.logs.map((log, partition) => {
      const low = this.#lows.get(partition) ?? 0;
      const end = this.#queue.end(partition);
      const at = (ms: number): number => log.find(({ timestampMs }) => timestampMs >= ms)?.offset ?? end;
      const first = Math.max(low, at(fromMs));
      const saved = this.saved.get(name)?.get(partition) ?? null;
      return { partition, low, first, end: Math.max(first, at(toMs)), saved };
    });
  }

  async lows(): Promise<ReadonlyMap<number, number>> {
    return this.#lows;
  }

  /** As retention does. */
  removeBelow(partition: number, low: number): void {
    this.#lows.set(partition, low);
    this.#queue.logs[partition] = this.#queue.log(partition).filter(({ offset }) => offset >= low);
  }

  async *read(spans: ReadonlyMap<number, OffsetSpan>, signal: AbortSignal): AsyncGenerator<FetchedRecord, void, void> {
    for (const [partition, { next, end }] of spans) {
      for (let offset = next; offset < end; offset++) {
        const record = this.#queue.log(partition).find((one) => one.offset === offset);
        if (!record) continue;
        this.before(record);
        await turn();
        if (this.hangs) await whenAborted(signal);
        this.hangs = false;
        if (signal.aborted && this.isQuiet) return;
        signal.throwIfAborted();
        this.handedOver.push([partition, offset]);
        yield record;
      }
    }
  }

  async save(name: string, positions: ReadonlyMap<number, RewindPosition>): Promise<void> {
    const saved = this.saved.get(name) ?? new Map<number, RewindPosition>();
    for (const [partition, position] of positions) saved.set(partition, position);
    this.saved.set(name, saved);
  }

  async forget(name: string): Promise<void> {
    this.saved.delete(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
