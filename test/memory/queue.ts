// A queue in memory with the rules of the real ones: partitions, groups with assignments, committed offsets, and a
// fence against commits under an old assignment. A test may rebalance it, fail its consumers, and refuse appends and
// commits, at any moment.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { SluiceError } from '#shared/errors.ts';
import { fragmentsOf } from '#shared/queue/dead-letter-fragments.ts';
import { type Headed, type Headers, headedDeadLetter, headedRecord } from '#shared/queue/headers.ts';
import type {
  ConsumeOptions,
  ConsumerHandler,
  DeadLetter,
  FetchedRecord,
  Queue,
  ReadOptions,
} from '#shared/queue/queue.ts';
import type { LocalConsumer } from '#shared/queue/spooled/local/local-queue.ts';
import type { QueueRecord } from '#shared/record/record.ts';

export interface QueueHooks {
  readonly append?: () => SluiceError | null | undefined;
  readonly deadLetters?: (letters: readonly DeadLetter[]) => SluiceError | null | undefined;
  readonly commit?: (nextOffsets: ReadonlyMap<number, number>) => SluiceError | null | undefined;
  readonly consume?: () => SluiceError | null | undefined;
  readonly epochMs?: () => number;
  /** Records of one fetch, at most. */
  readonly fetchRecordsMax?: number;
  /** Whether it is counted how many times somebody began at an offset. */
  readonly countsTries?: boolean;
}

export class MemoryQueue implements Queue {
  readonly kind = 'kafka';
  readonly unreadyReason = null;
  readonly appendBytesMax = 1_000_000;
  readonly logs: FetchedRecord[][];
  readonly letters: DeadLetter[] = [];
  readonly committed = new Map<number, number>();
  /** By partition: where somebody began last, and how many times without getting on. */
  readonly tries = new Map<number, { readonly next: number; readonly count: number }>();
  hooks: QueueHooks;
  #members: Member[] = [];
  /** As a topic has them: a large one in parts. */
  readonly #headedDeadLetters = new WeakMap<DeadLetter, readonly Headed[]>();
  #assignment = 0;

  constructor(partitions: number, hooks: QueueHooks = {}) {
    this.logs = Array.from({ length: partitions }, () => []);
    this.hooks = hooks;
  }

  get partitions(): number {
    return this.logs.length;
  }

  opened(): Promise<void> {
    return Promise.resolve();
  }

  async append(partition: number, records: readonly QueueRecord[]): Promise<void> {
    const error = this.hooks.append?.();
    if (error) throw error;
    for (const record of records) {
      const { headers, value } = headedRecord(record);
      this.add(partition, headers, value);
    }
  }

  /** Appends whatever a test likes. */
  add(partition: number, headers: Headers, value: Uint8Array, gap = 0): void {
    const log = this.log(partition);
    const offset = (log.at(-1)?.offset ?? -1) + 1 + gap;
    log.push({ partition, offset, timestampMs: this.hooks.epochMs?.() ?? 0, headers, value });
    for (const member of this.#members) member.fetch();
  }

  log(partition: number): FetchedRecord[] {
    const log = this.logs[partition];
    assert(log, `there is a partition ${partition}`);
    return log;
  }

  end(partition: number): number {
    return (this.log(partition).at(-1)?.offset ?? -1) + 1;
  }

  async forget(offsets: readonly number[]): Promise<void> {
    const last = this.end(0) - 1;
    const gone = new Set(offsets.filter((offset) => offset < last));
    this.logs[0] = this.log(0).filter(({ offset }) => !gone.has(offset));
  }

  async appendDeadLetters(letters: readonly DeadLetter[]): Promise<void> {
    const error = this.hooks.deadLetters?.(letters);
    if (error) throw error;
    this.letters.push(...letters);
  }

  async consume(handler: ConsumerHandler, _options: ConsumeOptions): Promise<Member> {
    const error = this.hooks.consume?.();
    if (error) throw error;
    const member = new Member(this, handler);
    this.#members.push(member);
    queueMicrotask(() => this.rebalance());
    return member;
  }

  /** All partitions are taken away and given out again, round robin; `shift` moves them on by as many members. */
  rebalance(shift = 0): void {
    for (const member of this.#members) member.revoke();
    this.#assignment++;
    this.#members.forEach((member, i) => {
      const mine = this.logs.map((_, p) => p).filter((p) => (p + shift) % this.#members.length === i);
      member.assign(mine, this.#assignment);
    });
    for (const member of this.#members) member.fetch();
  }

  /** The consumers end, as by a crash of the client. */
  crash(error: Error): void {
    for (const member of this.#members.splice(0)) member.crash(error);
  }

  /** How many times somebody has begun at the offset, with this one. */
  countTry(partition: number, next: number): number {
    const before = this.tries.get(partition);
    const count = before?.next === next ? before.count + 1 : 1;
    this.tries.set(partition, { next, count });
    return count;
  }

  leave(member: Member): void {
    const before = this.#members.length;
    this.#members = this.#members.filter((other) => other !== member);
    if (this.#members.length < before) this.rebalance();
  }

  /** All that is there as of now, whatever the times; letters lie in partition 0. */
  async *read({ topic }: ReadOptions): AsyncIterable<FetchedRecord> {
    if (topic === 'logs') return yield* this.logs.flat();
    const timestampMs = this.hooks.epochMs?.() ?? 0;
    const records = this.letters.flatMap((letter) => this.#headed(letter));
    yield* records.map((record, offset) => ({ ...record, partition: 0, offset, timestampMs }));
  }

  #headed(letter: DeadLetter): readonly Headed[] {
    let records = this.#headedDeadLetters.get(letter);
    if (!records) {
      records = fragmentsOf(letter, this.appendBytesMax, () => randomBytes(16)).map(headedDeadLetter);
      this.#headedDeadLetters.set(letter, records);
    }
    return records;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

class Member implements LocalConsumer {
  readonly #queue: MemoryQueue;
  readonly #handler: ConsumerHandler;
  #assignment = 0;
  #positions = new Map<number, number>();
  #paused = new Set<number>();
  #isFetching = false;

  constructor(queue: MemoryQueue, handler: ConsumerHandler) {
    this.#queue = queue;
    this.#handler = handler;
  }

  assign(partitions: readonly number[], assignment: number): void {
    this.#assignment = assignment;
    this.#paused.clear();
    this.#positions = new Map(partitions.map((p) => [p, this.#queue.committed.get(p) ?? 0]));
    this.#handler.assigned(
      partitions.map((partition) => {
        const next = this.#positions.get(partition) ?? 0;
        const start = { partition, next, end: this.#queue.end(partition) };
        const isTried = this.#queue.hooks.countsTries === true && next < start.end;
        return isTried ? { ...start, tries: this.#queue.countTry(partition, next) } : start;
      }),
      assignment,
    );
  }

  revoke(): void {
    const lost = this.#assignment;
    this.#assignment = 0;
    this.#positions.clear();
    if (lost > 0) this.#handler.revoked(lost);
  }

  crash(error: Error): void {
    this.#assignment = 0;
    this.#positions.clear();
    this.#handler.failed(error);
  }

  /** Hands over what there is, a fetch at a time, each in a turn of its own. */
  fetch(): void {
    if (this.#isFetching) return;
    this.#isFetching = true;
    setImmediate(() => {
      this.#isFetching = false;
      let isMore = false;
      for (const [partition, position] of this.#positions) {
        if (this.#paused.has(partition)) continue;
        const records = this.#queue
          .log(partition)
          .filter(({ offset }) => offset >= position)
          .slice(0, this.#queue.hooks.fetchRecordsMax ?? 3);
        const last = records.at(-1);
        if (!last) continue;
        isMore = true;
        this.#positions.set(partition, last.offset + 1);
        const endOffset = this.#queue.end(partition);
        const leftFrom = this.#handler.fetched({
          partition,
          assignment: this.#assignment,
          records,
          next: last.offset + 1,
          endOffset,
        });
        if (typeof leftFrom === 'number') this.#positions.set(partition, leftFrom);
      }
      if (isMore) this.fetch();
    });
  }

  pause(partitions: readonly number[]): void {
    for (const partition of partitions) this.#paused.add(partition);
  }

  resume(partitions: readonly number[]): void {
    for (const partition of partitions) this.#paused.delete(partition);
    this.fetch();
  }

  /** Of partition 0. */
  seek(offset: number): void {
    if (this.#positions.has(0)) this.#positions.set(0, offset);
    this.fetch();
  }

  async commit(assignment: number, nextOffsets: ReadonlyMap<number, number>): Promise<void> {
    if (assignment !== this.#assignment)
      throw new SluiceError('assignment_lost', 'Cannot commit: the assignment is over');
    const error = this.#queue.hooks.commit?.(nextOffsets);
    if (error) throw error;
    for (const [partition, next] of nextOffsets) {
      assert(next > (this.#queue.committed.get(partition) ?? -1), 'a committed offset never goes back');
      this.#queue.committed.set(partition, next);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#assignment = 0;
    this.#positions.clear();
    this.#queue.leave(this);
  }
}
