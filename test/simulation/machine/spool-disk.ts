// The disk of a machine, and on it the local queue of the forwarder's spool: what was synced outlives the process. A
// write takes its time, and may be refused, by a full disk or a broken one; a kill finds the one that is under way
// written or not.

import { SluiceError } from '#shared/errors.ts';
import { headedRecord } from '#shared/queue/headers.ts';
import type { ConsumeOptions, ConsumerHandler, FetchedRecord } from '#shared/queue/queue.ts';
import type { LocalConsumer, LocalQueue } from '#shared/queue/spooled/local/local-queue.ts';
import type { QueueRecord } from '#shared/record/record.ts';
import type { Faults } from '../faults.ts';
import type { SimProcess } from './process.ts';
import type { Random } from './random.ts';
import type { SimTime } from './time.ts';
import { Wire } from './wire.ts';

export interface DiskWorld {
  readonly time: SimTime;
  readonly random: Random;
  readonly faults: Faults;
}

const RECORDS_OF_FETCH_MAX = 4;

export class SpoolDisk {
  isFull = false;
  readonly world: DiskWorld;
  readonly records: FetchedRecord[] = [];
  /** As committed by the spool's one reader. */
  next = 0;
  /** Called with each record when it is synced. */
  readonly synced: (record: FetchedRecord) => void;

  constructor(world: DiskWorld, synced: (record: FetchedRecord) => void) {
    this.world = world;
    this.synced = synced;
  }

  get isEmpty(): boolean {
    return this.next === this.records.length;
  }

  write(records: readonly QueueRecord[], epochMs: number): void {
    for (const record of records) {
      const { headers, value } = headedRecord(record);
      const written = { partition: 0, offset: this.records.length, timestampMs: epochMs, headers, value };
      this.records.push({ ...written, value: Buffer.from(value) });
      this.synced(written);
    }
  }
}

/** The local queue of one process. */
export class SpoolLog implements LocalQueue {
  readonly kind = 'embedded';
  readonly unreadyReason = null;
  readonly partitions = 1;
  readonly appendBytesMax = 16_000_000;
  readonly #disk: SpoolDisk;
  readonly #process: SimProcess;
  readonly #wire: Wire;
  #reader: Reader | null = null;

  constructor(disk: SpoolDisk, process: SimProcess) {
    this.#disk = disk;
    this.#process = process;
    // One writer: commits of the disk have an order.
    this.#wire = new Wire(disk.world.time, (ms, action) => disk.world.time.after(ms, action));
  }

  opened(): Promise<void> {
    return Promise.resolve();
  }

  append(_partition: number, records: readonly QueueRecord[]): Promise<void> {
    const { faults, random } = this.#disk.world;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const isFailing = faults.strikes('disk_failed', this.#process.name);
    this.#wire.send(random.between(0.2, 3), () => {
      // A kill comes before the write, or between the write and what its process knows of it.
      if (!this.#process.isAlive) return;
      const answer = (action: () => void): void => void this.#process.later(random.between(0.1, 3), action);
      if (this.#disk.isFull)
        return answer(() => reject(new SluiceError('queue_full', 'Cannot append: no space left on device')));
      if (isFailing) return answer(() => reject(new SluiceError('queue_unavailable', 'Cannot append: EIO')));
      this.#disk.write(records, this.#process.epochMs());
      answer(() => {
        resolve();
        this.#reader?.fetch();
      });
    });
    return promise;
  }

  appendDeadLetters(): Promise<void> {
    return Promise.reject(new SluiceError('queue_refused', 'Cannot append: a spool keeps its letters as records'));
  }

  consume(handler: ConsumerHandler, _options: ConsumeOptions): Promise<Reader> {
    const reader = new Reader(this.#disk, this.#process, handler);
    this.#reader = reader;
    return Promise.resolve(reader);
  }

  async *read(): AsyncIterable<FetchedRecord> {}

  async [Symbol.asyncDispose](): Promise<void> {}
}

class Reader implements LocalConsumer {
  readonly #disk: SpoolDisk;
  readonly #process: SimProcess;
  readonly #handler: ConsumerHandler;
  #position: number;
  #isPaused = false;
  #isFetching = false;
  #isClosed = false;

  constructor(disk: SpoolDisk, process: SimProcess, handler: ConsumerHandler) {
    this.#disk = disk;
    this.#process = process;
    this.#handler = handler;
    this.#position = disk.next;
    process.later(1, () => {
      if (this.#isClosed) return;
      handler.assigned([{ partition: 0, next: disk.next, end: disk.records.length }], 1);
      this.fetch();
    });
  }

  fetch(): void {
    if (this.#isFetching || this.#isPaused || this.#isClosed) return;
    this.#isFetching = true;
    this.#process.later(this.#disk.world.random.between(0.2, 2), () => {
      this.#isFetching = false;
      if (this.#isPaused || this.#isClosed) return;
      const records = this.#disk.records.slice(this.#position, this.#position + RECORDS_OF_FETCH_MAX);
      if (records.length === 0) return;
      this.#position += records.length;
      const endOffset = this.#disk.records.length;
      this.#handler.fetched({ partition: 0, assignment: 1, records, next: this.#position, endOffset });
      this.fetch();
    });
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.fetch();
  }

  seek(offset: number): void {
    this.#position = offset;
    this.fetch();
  }

  async commit(_assignment: number, nextOffsets: ReadonlyMap<number, number>): Promise<void> {
    await this.#process.sleep(this.#disk.world.random.between(0.3, 5));
    this.#disk.next = nextOffsets.get(0) ?? this.#disk.next;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
  }
}
