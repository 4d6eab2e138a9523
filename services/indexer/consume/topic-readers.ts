// The readers of an indexer: one of Sluice's own topic, and one of each topic of others that a rule names. All hand
// their records to one pipeline, so what is in hand has one bound, and each event one ledger. Every topic has its own
// group: one that is gone, or whose brokers are, holds up no other.
//
// Topics are looked for again and again: those that a pattern matches, and those that a rule names and that are not
// there yet. A drain job looks once: what is not there has nothing to be drained.

import { backoffMs } from '#shared/backoff.ts';
import { groupOfSource, ruleOf, type SourceRule } from '#shared/config/settings/sources.ts';
import { reasonOf } from '#shared/errors.ts';
import type { Queue } from '#shared/queue/queue.ts';
import type { Assignment } from '../commit/in-hand.ts';
import type { PartitionAge } from '../settle/telemetry.ts';
import { agesOf } from './partition-ages.ts';
import { PartitionReader, type ReaderOptions } from './reader.ts';
import { SourceQueue } from './source-queue.ts';
import type { TopicSlots } from '../settle/topic-slots.ts';

/** How old the news of a topic that a pattern matches, or that was made anew or larger, can be. */
const LOOK_INTERVAL_MS = 5000;
const LOOK_AGAIN = { baseMs: 500, capMs: 5000 };

export interface TopicReadersOptions extends ReaderOptions {
  readonly queue: Pick<Queue, 'consume' | 'topics'>;
  readonly slots: TopicSlots;
  readonly rules: readonly SourceRule[];
  /** Topics of Sluice. */
  readonly ownTopics: readonly string[];
}

export class TopicReaders {
  readonly #options: TopicReadersOptions;
  readonly #own: PartitionReader;
  /** By topic. */
  readonly #sources = new Map<string, PartitionReader>();
  /** Named by a rule, and reported. */
  readonly #missing = new Set<string>();
  readonly #stop = new AbortController();
  /** Why it is not known which topics there are; null where it is. */
  #unseenReason: string | null;

  constructor(options: TopicReadersOptions) {
    this.#options = options;
    this.#own = new PartitionReader(options);
    this.#unseenReason = options.rules.length > 0 ? 'the topics of kafka.sources are not known yet' : null;
  }

  /** Of Sluice's own topic: a topic that somebody else took away would make every indexer unready at once. */
  get unreadyReason(): string | null {
    return this.#own.unreadyReason;
  }

  /** Why some topic is not read, whosever it is; null where all are. */
  get unreadReason(): string | null {
    const reason = this.#own.unreadyReason ?? this.#unseenReason;
    if (reason !== null) return reason;
    for (const [topic, reader] of this.#sources)
      if (reader.unreadyReason !== null) return `topic ${topic}: ${reader.unreadyReason}`;
    return null;
  }

  /** Only what Sluice wrote is ever held. */
  get heldReason(): string | null {
    return this.#own.heldReason;
  }

  /** Whether the queue refuses this user some topic, as `unreadReason` says. */
  get isRefused(): boolean {
    return this.#all.some((reader) => reader.isRefused);
  }

  get assignments(): readonly (Assignment | null)[] {
    return this.#all.map((reader) => reader.assignment);
  }

  /** Whether all was read that can be: a topic that this user is refused holds up no other. */
  get atEnds(): boolean {
    return this.#unseenReason === null && this.#all.every((reader) => reader.atEnds || reader.isRefused);
  }

  get left(): number {
    return this.#all.reduce((sum, reader) => sum + reader.left, 0);
  }

  ages(epochMs: number): PartitionAge[] {
    return this.assignments.flatMap((assignment) => agesOf(assignment, epochMs));
  }

  start(): void {
    this.#own.start();
    if (this.#options.rules.length > 0) void this.#look();
  }

  /** True when nothing is left to commit of what this user may read. */
  async commit(): Promise<boolean> {
    const isDone = await Promise.all(this.#all.map(async (reader) => (await reader.commit()) || reader.isRefused));
    return isDone.every(Boolean);
  }

  halt(): void {
    this.#stop.abort();
    for (const reader of this.#all) reader.halt();
  }

  async leave(): Promise<boolean> {
    this.#stop.abort();
    return (await Promise.all(this.#all.map((reader) => reader.leave()))).every(Boolean);
  }

  get #all(): PartitionReader[] {
    return [this.#own, ...this.#sources.values()];
  }

  async #look(): Promise<void> {
    const { queue, clock, random, telemetry, toEnds, rules } = this.#options;
    const { signal } = this.#stop;
    const named = rules.flatMap(({ topic }) => topic ?? []);
    for (let attempt = 0; !signal.aborted;) {
      try {
        const topics = (await queue.topics?.(named)) ?? [];
        if (signal.aborted) return;
        this.#add(topics);
        if (toEnds) return;
        attempt = 0;
      } catch (error) {
        if (signal.aborted) return;
        // Those that are known are read all the same.
        if (this.#unseenReason !== null)
          this.#unseenReason = `the topics of kafka.sources are not known: ${reasonOf(error)}`;
        telemetry.topicsUnknown(error);
        attempt++;
      }
      const pauseMs = attempt === 0 ? LOOK_INTERVAL_MS : backoffMs(attempt - 1, LOOK_AGAIN, random);
      await clock.sleep(pauseMs, signal).catch(() => undefined);
    }
  }

  #add(topics: readonly string[]): void {
    const { rules, ownTopics, telemetry, changed } = this.#options;
    for (const topic of topics) {
      const rule = ruleOf(topic, rules, ownTopics);
      if (rule !== null && !this.#sources.has(topic)) this.#read(topic, rule);
    }
    for (const { topic } of rules) {
      if (topic === undefined || this.#sources.has(topic) || this.#missing.has(topic)) continue;
      this.#missing.add(topic);
      telemetry.sourceMissing(topic);
    }
    this.#unseenReason = null;
    changed?.();
  }

  #read(topic: string, rule: SourceRule): void {
    const { queue, slots, group, telemetry } = this.#options;
    const source = new SourceQueue({ queue, slots, topic, rule });
    const reader = new PartitionReader({
      ...this.#options,
      queue: source,
      group: groupOfSource(group, topic),
      foreignTopic: topic,
    });
    this.#sources.set(topic, reader);
    telemetry.sourceFound(topic, rule.format);
    reader.start();
  }
}
