// Records that are opened once more, for events that the store refused. However many wait for one, or for how many
// records, only one is open at a time: a record of a few bytes in the queue may be 80 MiB here. Those who wait for the
// one that is open are served with it.
//
// Guarantees: nobody who reads a record waits for anything meanwhile, so everybody has a turn. The open one counts in
// the budget that stops reading, and its memory is given back when nobody wants it.

import { setImmediate as turn } from 'node:timers/promises';
import type { ByteBudget } from '#shared/byte-budget.ts';
import { freeBuffer } from '#shared/memory/free-buffer.ts';
import { openedBytes } from '../unpack/bytes-in-hand.ts';
import type { RecordInHand } from '../commit/in-hand.ts';
import { type Unpacked, type UnpackOptions, unpack } from '../unpack/unpack.ts';

export interface ReopenedRecordsOptions {
  readonly budget: ByteBudget;
  readonly unpacking: UnpackOptions;
}

/** Somebody waits to read a record. */
interface Reading {
  readonly serve: (opened: Unpacked | null) => void;
  readonly giveUp: (reason: unknown) => void;
  readonly signal: AbortSignal | undefined;
}

export class ReopenedRecords {
  readonly #options: ReopenedRecordsOptions;
  /** By record, in the order in which they were first asked for. */
  readonly #readings = new Map<RecordInHand, Reading[]>();
  #isRunning = false;

  constructor(options: ReopenedRecordsOptions) {
    this.#options = options;
  }

  /**
   * What `find` makes of the record; it is given null where the record cannot be read. What it keeps must be copies:
   * the memory is freed after it. Rejects with what `find` throws, and with the signal's reason where that was aborted
   * before the record was opened.
   */
  read<T>(record: RecordInHand, find: (opened: Unpacked | null) => T, signal?: AbortSignal): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const serve = (opened: Unpacked | null): void => {
      try {
        resolve(find(opened));
      } catch (error) {
        reject(error);
      }
    };
    const reading = { serve, giveUp: reject, signal };
    const readings = this.#readings.get(record);
    if (readings) readings.push(reading);
    else this.#readings.set(record, [reading]);
    if (!this.#isRunning) void this.#run();
    return promise;
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    // Its own entry is gone when it was served; the iterator goes on to those that came meanwhile.
    for (const record of this.#readings.keys()) await this.#serve(record);
    // In the same turn as the check that nobody waits: whoever comes next starts anew.
    this.#isRunning = false;
  }

  async #serve(record: RecordInHand): Promise<void> {
    const { budget, unpacking } = this.#options;
    const { fetched } = record;
    // A stop must not wait until each is opened that somebody had wanted.
    const isOver = ({ signal }: Reading): boolean => signal?.aborted === true;
    if (this.#readings.get(record)?.every(isOver)) {
      for (const { giveUp, signal } of this.#taken(record) ?? []) giveUp(signal?.reason);
      return;
    }
    const unpacked = await unpack(fetched, unpacking);
    const opened = unpacked.kind === 'unpacked' ? unpacked : null;
    using _permit = budget.take(opened ? openedBytes(opened, fetched) : 0);
    for (let readings = this.#taken(record); readings; readings = this.#taken(record)) {
      for (const reading of readings) {
        reading.serve(opened);
        // Other work has its turn, and who was served may want more of the same record.
        await turn();
      }
    }
    if (opened && opened.bytes.buffer !== fetched.value.buffer) freeBuffer(opened.bytes);
  }

  #taken(record: RecordInHand): Reading[] | undefined {
    const readings = this.#readings.get(record);
    this.#readings.delete(record);
    return readings;
  }
}

/** Where an entry lies in the opened value. */
export function extentOf({ ends }: Unpacked, entry: number): { readonly start: number; readonly end: number } {
  return { start: entry === 0 ? 0 : (ends[entry - 1] ?? 0), end: ends[entry] ?? 0 };
}
