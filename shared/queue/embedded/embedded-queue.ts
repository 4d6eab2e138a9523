// The queue on one machine: one partition, kept by a SqliteLog in a worker thread under `<data.dir>/queue/`.
// See queue.ts for what it promises; what it adds: the folder belongs to one process at a time, and when the limit is
// reached or the device is full it refuses appends (queue_full) and takes them again by itself when there is room.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Clock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import type { QueueRecord } from '#shared/record/record.ts';
import { startWorker, type WorkerThread } from '#shared/sqlite/worker-thread.ts';
import { appendSequences } from '../dead-letter-appends.ts';
import { type Headed, type Headers, headedRecord, recordBytes } from '../headers.ts';
import type { ConsumeOptions, ConsumerHandler, DeadLetter, FetchedRecord, Queue, ReadOptions } from '../queue.ts';
import { EmbeddedConsumer } from './embedded-consumer.ts';
import { GroupCommit } from './group-commit.ts';
import { fetchedRecords } from './fetched-records.ts';
import { transactionBytesMaxOf } from './log/log-space.ts';
import type { Topic } from './log/log-table.ts';
import { ReportedDeadLetterSpace } from './dead-letter-space.ts';
import { DeadLetterPacker, unpackedDeadLetter } from './packed-dead-letter.ts';
import { deadLetterBytesMaxOf, type DeadLetterCharge } from './dead-letter-budget.ts';
import type { Notice } from './log-keeper.ts';
import { QueueHealth } from './queue-health.ts';
import type { LogMethods, QueueThreadData } from './queue-thread.ts';
import { QueueUpkeep } from './queue-upkeep.ts';

// A record is in memory whole a few times on its way; a small queue takes less (see log-space.ts).
const APPEND_BYTES_MAX = 8 * 1024 * 1024;
const TRANSACTION_BYTES = 8 * 1024 * 1024;
const READ_BYTES = 1024 * 1024;
const BACKLOG_RECORDS = 1000;

export interface EmbeddedQueueOptions {
  /** `data.dir`. */
  readonly dataDir: string;
  /** Folder in it that the queue takes; `queue` if absent. */
  readonly folder?: string;
  /** What it is, in messages; `the embedded queue` if absent. */
  readonly name?: string;
  /** Whether a damaged file is moved aside, with a warning, and a new one started, rather than the queue refused. */
  readonly setDamagedAside?: boolean;
  readonly bytesMax: number;
  /** Of the dead letters, beside that; if absent, an eighth of it. */
  readonly deadLettersBytesMax?: number | undefined;
  readonly retentionMs: number;
  /** For commands that only read, beside the process that writes. */
  readonly readOnly: boolean;
  readonly clock: Clock;
  warn(message: string): void;
}

/** Opens the queue. Rejects with data_dir_locked or data_dir_unusable. */
export async function openEmbeddedQueue(options: EmbeddedQueueOptions): Promise<EmbeddedQueue> {
  const data: QueueThreadData = {
    folder: join(options.dataDir, options.folder ?? 'queue'),
    readOnly: options.readOnly,
    bytesMax: options.bytesMax,
    deadLettersBytesMax: deadLetterBytesMaxOf(options.bytesMax, options.deadLettersBytesMax),
    retentionMs: options.retentionMs,
    setDamagedAside: options.setDamagedAside ?? false,
  };
  const died = Promise.withResolvers<Error>();
  let queue: EmbeddedQueue | null = null;
  const thread = await startWorker<LogMethods>('queue-thread', import.meta.url, data, {
    onDeath: died.resolve,
    onNotice(told) {
      const notice = told as Notice;
      if ('aside' in notice) {
        const { aside } = notice;
        options.warn(`What ${nameOf(options)} held is damaged: it lies in ${aside} now, and is not read any more`);
        queue?.damaged();
      } else if ('warning' in notice) options.warn(notice.warning);
      else queue?.unhealthy(notice.unhealthyReason);
    },
  });
  const { end } = await thread.call('bounds', 'logs');
  queue = new EmbeddedQueue(thread, options, end);
  if (!options.readOnly) queue.deadLetterSpace.figures = await thread.call('deadLetterFigures', null);
  void died.promise.then((error) => queue.died(error));
  return queue;
}

export class EmbeddedQueue implements Queue {
  readonly kind = 'embedded';
  readonly partitions = 1;
  readonly appendBytesMax: number;
  readonly deadLetterSpace: ReportedDeadLetterSpace;
  readonly #thread: WorkerThread<LogMethods>;
  readonly #options: EmbeddedQueueOptions;
  readonly #writes: GroupCommit;
  readonly #packer = new DeadLetterPacker();
  readonly #consumers = new Set<EmbeddedConsumer>();
  #end: number;
  readonly #health: QueueHealth;
  readonly #upkeep: QueueUpkeep;
  #closed = false;

  constructor(thread: WorkerThread<LogMethods>, options: EmbeddedQueueOptions, end: number) {
    this.#thread = thread;
    this.#options = options;
    this.#end = end;
    this.#health = new QueueHealth(nameOf(options), options);
    this.deadLetterSpace = new ReportedDeadLetterSpace(
      deadLetterBytesMaxOf(options.bytesMax, options.deadLettersBytesMax),
    );
    const roomMax = transactionBytesMaxOf(options.bytesMax);
    this.appendBytesMax = Math.min(APPEND_BYTES_MAX, roomMax);
    this.#writes = new GroupCommit(thread, {
      clock: options.clock,
      name: nameOf(options),
      transactionBytesMax: Math.min(TRANSACTION_BYTES, roomMax),
      written: (newEnd, refused, bytes) => this.#written(newEnd, refused, bytes),
      failed: (reason) => this.#health.failed(reason),
      deadLettersStored: (figures) => (this.deadLetterSpace.figures = figures),
      deadLettersRefused: (reason) => this.deadLetterSpace.tellRefused(reason),
    });
    this.#upkeep = new QueueUpkeep(thread, {
      clock: options.clock,
      health: this.#health,
      counted: (figures) => (this.deadLetterSpace.figures = figures),
    });
    if (!options.readOnly) this.#upkeep.start();
  }

  get unreadyReason(): string | null {
    return this.#health.unreadyReason(this.#closed);
  }

  opened(): Promise<void> {
    return Promise.resolve();
  }

  async append(partition: number, records: readonly QueueRecord[]): Promise<void> {
    assert.equal(partition, 0, 'the embedded queue has one partition');
    let bytes = 0;
    const headed: Headed[] = [];
    for (const record of records) {
      bytes += recordBytes(record);
      headed.push(headedRecord(record));
    }
    if (bytes > this.appendBytesMax) {
      throw new SluiceError('queue_refused', `Cannot append ${bytes} bytes: the most is ${this.appendBytesMax}`);
    }
    await this.appendHeaded('logs', headed);
  }

  async appendDeadLetters(deadLetters: readonly DeadLetter[]): Promise<void> {
    await appendSequences(deadLetters, {
      bytesMax: this.appendBytesMax,
      appendAll: async (sequence) => {
        for (const packed of await this.#packer.pack(sequence))
          await this.appendHeaded('dead-letters', packed.records, packed.deadLetters);
      },
    });
  }

  /** Appends records whose headers are made already. */
  async appendHeaded(
    topic: Topic,
    records: readonly Headed[],
    deadLetters: DeadLetterCharge | null = null,
  ): Promise<void> {
    if (this.#closed) throw new SluiceError('shutting_down', `Cannot append to ${nameOf(this.#options)}: it is closed`);
    if (this.#options.readOnly)
      throw new SluiceError('queue_refused', 'Cannot append to a queue that was opened to be read');
    await this.#writes.append(topic, records, deadLetters);
  }

  async consume(handler: ConsumerHandler, options: ConsumeOptions): Promise<EmbeddedConsumer> {
    assert(!this.#options.readOnly && !this.#closed);
    const { next, tries } = await this.#thread.call('start', options.group);
    const consumer = new EmbeddedConsumer(
      {
        thread: this.#thread,
        writes: this.#writes,
        end: () => this.#end,
        left: () => this.#consumers.delete(consumer),
      },
      handler,
      { ...options, next, tries },
    );
    this.#consumers.add(consumer);
    return consumer;
  }

  async *read(options: ReadOptions): AsyncGenerator<FetchedRecord, void, void> {
    const { topic, signal, fromMs, toMs = Number.POSITIVE_INFINITY } = options;
    const { first, end } = await this.#thread.call('between', { topic, fromMs, toMs: options.toMs });
    let offset = first;
    while (offset < end) {
      signal?.throwIfAborted();
      const { packed } = await this.#thread.call('fetch', { topic, offset, bytesMax: READ_BYTES });
      for (const record of fetchedRecords(packed)) {
        if (record.offset >= end) return;
        offset = record.offset + 1;
        // After the clock was set back.
        if (record.timestampMs >= toMs) continue;
        yield topic === 'dead-letters' ? await unpackedDeadLetter(record) : record;
      }
      if (packed.length === 0) return;
    }
  }

  /** The headers of what the group has not consumed: much faster to read than the values. */
  async *backlog(group: string): AsyncGenerator<Headers, void, void> {
    const { next, end } = await this.#thread.call('join', group);
    for (let offset = next; offset < end;) {
      const from = { topic: 'logs', offset, records: BACKLOG_RECORDS } as const;
      const records = fetchedRecords((await this.#thread.call('heads', from)).packed);
      for (const { headers } of records) yield headers;
      const last = records.at(-1);
      if (last === undefined) return;
      offset = last.offset + 1;
    }
  }

  /** Removes single records of the logs, whoever has not consumed them yet; never the last one. */
  async forget(offsets: readonly number[]): Promise<void> {
    await this.#thread.call('forget', offsets);
  }

  /** Erases these dead letters for good; resolves to how many there were. */
  async eraseDeadLetters(offsets: readonly number[]): Promise<number> {
    const { erased, figures } = await this.#thread.call('eraseDeadLetters', offsets);
    this.deadLetterSpace.figures = figures;
    return erased;
  }

  /** Bytes on the device, the WAL included. */
  bytesStored(): Promise<number> {
    return this.#thread.call('bytesStored', undefined);
  }

  /** The worker is gone: nothing can be written or read any more. */
  died(error: Error): void {
    const reason = this.#health.died(error);
    for (const consumer of this.#consumers) consumer.fail(new SluiceError('queue_unavailable', reason));
  }

  /** Its file is gone, or there again. */
  unhealthy(reason: string | null): void {
    this.#health.fileGone(reason);
  }

  /** The log began anew: nothing of what it held can be read any more. */
  damaged(): void {
    this.#end = 0;
    const error = new SluiceError('queue_damaged', `Cannot read ${nameOf(this.#options)}: its file was damaged`);
    for (const consumer of this.#consumers) consumer.fail(error);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#upkeep[Symbol.dispose]();
    for (const consumer of this.#consumers) await consumer[Symbol.asyncDispose]();
    await this.#writes.idle();
    await this.#thread[Symbol.asyncDispose]();
  }

  #written(end: number, refused: string | null, bytes: number): void {
    this.#health.written(refused, bytes);
    if (end === this.#end) return;
    this.#end = end;
    for (const consumer of this.#consumers) consumer.wake();
  }
}

function nameOf({ name }: EmbeddedQueueOptions): string {
  return name ?? 'the embedded queue';
}
