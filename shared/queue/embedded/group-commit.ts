// Group commit: whatever waits when a transaction ends goes into the next one, so that one sync of the device serves
// many. Appends, dead letters and commits of offsets share the transactions; each keeps the order in which it came.
//
// Guarantees: an append or a commit resolves only after the transaction that holds it was synced.

import type { Clock } from '#shared/clock.ts';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import type { Topic } from './log/log-table.ts';
import { encodeHeaders, packRecords, type Stored } from './log/packed-records.ts';
import type { Headed } from '../headers.ts';
import type { WorkerThread } from '#shared/sqlite/worker-thread.ts';
import type { DeadLetterRefusal } from '../queue.ts';
import type { DeadLetterCharge } from './dead-letter-budget.ts';
import type { DeadLetterFigures, DeadLettersRefused } from './dead-letter-account.ts';
import type { LogMethods } from './queue-thread.ts';
import type { Written } from './sqlite-log.ts';

const WHY: Readonly<Record<DeadLetterRefusal, string>> = {
  sender_share:
    'this sender may have no more than it leaves free of the half of queue.dead_letters_max_bytes for the edge',
  key_share:
    'all who name themselves may have no more than they leave free of the half of queue.dead_letters_max_bytes for ' +
    'the edge',
  edge_share: 'it is larger than half of what is free of the half of queue.dead_letters_max_bytes for the edge',
  budget: 'it is larger than what is free of queue.dead_letters_max_bytes',
};
const TODO =
  'see `sluice dead-letters list` for what fills it, mend that, and raise the setting ' +
  '(SLUICE_QUEUE_DEAD_LETTERS_MAX_BYTES) if it is needed before they end by age';

interface Append {
  readonly topic: Topic;
  readonly records: readonly Stored[];
  readonly bytes: number;
  /** Of dead letters. */
  readonly deadLetters: DeadLetterCharge | null;
  readonly settled: PromiseWithResolvers<void>;
}

export interface GroupCommitOptions {
  readonly clock: Clock;
  /** What it is, in messages. */
  readonly name: string;
  /** Most bytes of records in one transaction; bounds the WAL, and how long a fetch waits behind it. */
  readonly transactionBytesMax: number;
  /**
   * After each transaction: the end of the logs, and why their records were refused, if they were (with their bytes).
   */
  written(end: number, refused: string | null, bytes: number): void;
  /** After each transaction: what the dead letters take. */
  deadLettersStored(figures: DeadLetterFigures): void;
  /** Dead letters were refused, for their budget has no place for them. */
  deadLettersRefused(reason: DeadLetterRefusal): void;
  /** A transaction failed for another reason: nothing of it is stored. */
  failed(reason: string): void;
}

export class GroupCommit {
  readonly #thread: WorkerThread<LogMethods>;
  readonly #options: GroupCommitOptions;
  #appends: Append[] = [];
  #commits = new Map<string, number>();
  #committed = Promise.withResolvers<void>();
  #isRunning = false;
  #ended = Promise.resolve();

  constructor(thread: WorkerThread<LogMethods>, options: GroupCommitOptions) {
    this.#thread = thread;
    this.#options = options;
  }

  /** Resolves when the records are on the device. Rejects with queue_full, dead_letters_full or queue_unavailable. */
  append(topic: Topic, records: readonly Headed[], deadLetters: DeadLetterCharge | null = null): Promise<void> {
    const stored: Stored[] = [];
    let bytes = 0;
    for (const { headers, value } of records) {
      const encoded = encodeHeaders(headers);
      stored.push({ offset: 0, timeMs: 0, headers: encoded, value });
      bytes += encoded.length + value.length;
    }
    const settled = Promise.withResolvers<void>();
    this.#appends.push({ topic, records: stored, bytes, deadLetters, settled });
    this.#start();
    return settled.promise;
  }

  /**
   * Resolves when the offset is on the device, rejects with queue_full or queue_unavailable; a newer one of the same
   * group takes the place of one that still waits.
   */
  commit(group: string, next: number): Promise<void> {
    this.#commits.set(group, next);
    this.#start();
    return this.#committed.promise;
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    while (this.#isRunning) await this.#ended;
  }

  #start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#ended = this.#run();
  }

  async #run(): Promise<void> {
    // What is appended in the same turn of the event loop goes in the same transaction.
    await new Promise(setImmediate);
    while (this.#appends.length > 0 || this.#commits.size > 0) await this.#transact();
    // In the same turn as the look at what waits: whoever comes next must start anew.
    this.#isRunning = false;
  }

  async #transact(): Promise<void> {
    const appends = this.#take();
    const commits = [...this.#commits];
    const committed = this.#committed;
    this.#commits.clear();
    this.#committed = Promise.withResolvers();
    // Nobody may be waiting for it.
    committed.promise.catch(() => undefined);

    const logs = packRecords(recordsOf(appends, 'logs'));
    const deadLetters = packRecords(recordsOf(appends, 'dead-letters'));
    const bytes = logs.length;
    const deadLetterCharges = appends
      .map(({ deadLetters }) => deadLetters)
      .filter((deadLetters) => deadLetters !== null);
    try {
      const { clock } = this.#options;
      const now = { epochMs: clock.epochMs(), monotonicMs: clock.monotonicMs() };
      const write = { now, logs, deadLetters, deadLetterCharges, commits };
      const written = await this.#thread.call('write', write, [logs.buffer, deadLetters.buffer]);
      const { refused, isCommitted, end } = written;
      this.#options.written(end, refused, bytes);
      this.#options.deadLettersStored(written.deadLetters);
      if (isCommitted) committed.resolve();
      else committed.reject(fullError(this.#options.name, refused ?? 'there is no room'));
      this.#settle(appends, written);
    } catch (error) {
      const failure = unavailable(this.#options.name, error);
      this.#options.failed(failure.message);
      committed.reject(failure);
      for (const { settled } of appends) settled.reject(failure);
    }
  }

  #settle(appends: readonly Append[], { refused, deadLettersRefused }: Written): void {
    let next = 0;
    for (const { deadLetters, settled } of appends) {
      const why = deadLetters === null ? refused : deadLettersRefused[next++];
      if (why === null) settled.resolve();
      else settled.reject(this.#errorOf(why ?? 'there is no room'));
    }
  }

  #errorOf(why: string | DeadLettersRefused): SluiceError {
    if (typeof why === 'string') return fullError(this.#options.name, why);
    if ('space' in why) return fullError(this.#options.name, why.space);
    this.#options.deadLettersRefused(why.budget);
    return new SluiceError('dead_letters_full', `Cannot hold a dead letter: ${WHY[why.budget]}; ${TODO}`);
  }

  /** The first appends that fit in a transaction; at least one. */
  #take(): Append[] {
    let bytes = 0;
    let count = 0;
    for (const append of this.#appends) {
      bytes += append.bytes;
      if (count > 0 && bytes > this.#options.transactionBytesMax) break;
      count++;
    }
    return this.#appends.splice(0, count);
  }
}

function recordsOf(appends: readonly Append[], topic: Topic): Stored[] {
  const records: Stored[] = [];
  for (const append of appends) if (append.topic === topic) records.push(...append.records);
  return records;
}

function fullError(name: string, refused: string): SluiceError {
  return new SluiceError('queue_full', `Cannot append to ${name}: ${refused}`);
}

function unavailable(name: string, error: unknown): SluiceError {
  if (error instanceof SluiceError) return error;
  return new SluiceError('queue_unavailable', `Cannot write to ${name}: ${reasonOf(error)}`, {
    cause: error,
  });
}
