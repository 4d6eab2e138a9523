// One run of the whole path from one seed: senders, two forwarders, Kafka, indexers, Elasticsearch, with faults for a
// while and then without, until everything has drained. What is promised is checked all along by the oracle.

import { setImmediate as turn } from 'node:timers/promises';
import type { Config } from '#shared/config/settings.ts';
import { Disturbances } from './disturbances.ts';
import { type FaultName, Faults } from './faults.ts';
import { Forwarder } from './forwarder.ts';
import { IndexerPlace } from './indexer.ts';
import { Broker, type Topic } from './kafka/broker.ts';
import { PRODUCE_LATE_MS_MAX } from './kafka/producer.ts';
import { Oracle } from './oracle/oracle.ts';
import { WallClock } from './machine/process.ts';
import { Random } from './machine/random.ts';
import { APPEND_BYTES_MAX, configOf, sendersOf, topicsOf } from './scenario.ts';
import type { Sender } from './sender.ts';
import { SimElasticsearch } from './store/elasticsearch.ts';
import { SimTime } from './machine/time.ts';
import { Trace } from './trace.ts';

export interface Outcome {
  readonly seed: number;
  /** Of all that happened. */
  readonly hash: string;
  readonly violations: readonly string[];
  readonly faults: ReadonlyMap<FaultName, number>;
  readonly totals: Readonly<Record<string, number>>;
  readonly virtualMs: number;
}

/** Longest that it may take to drain, and to stop, when nothing fails any more. */
const DRAIN_MS_MAX = 300_000;
/** What clocks may be apart beside the allowed skew. */
const APART_MS_MAX = 2000;
/** Between two checks of the ledgers. */
const CHECK_MS = 200;

/** `print`: takes the trace, line by line. */
export function simulate(seed: number, print: ((line: string) => void) | null = null): Promise<Outcome> {
  return new Simulation(seed, print).run();
}

class Simulation {
  readonly #seed: number;
  readonly #random: Random;
  readonly #time = new SimTime();
  readonly #trace: Trace;
  readonly #faults: Faults;
  readonly #oracle: Oracle;
  readonly #config: Config;
  readonly #broker: Broker;
  readonly #store: SimElasticsearch;
  readonly #forwarders: [Forwarder, Forwarder];
  readonly #indexers: IndexerPlace[];
  readonly #senders: Sender[];
  readonly #durationMs: number;
  /** Clocks are wrong by so much at most; by the allowed skew, with what they drift. */
  readonly #apartMs: number;
  readonly #disturbances: Disturbances;

  constructor(seed: number, print: ((line: string) => void) | null) {
    this.#seed = seed;
    const random = new Random(seed);
    const time = this.#time;
    const trace = new Trace(time, print);
    const faults = new Faults(random.fork('faults'), trace);
    const config = configOf(random.fork('config'));
    const partitions = random.integer(3, 4);
    const oracle = new Oracle(trace, partitions, config['bulk.timeout_ms']);
    this.#random = random;
    this.#trace = trace;
    this.#faults = faults;
    this.#config = config;
    this.#oracle = oracle;
    this.#broker = this.#openBroker(partitions);
    this.#store = this.#openStore();
    this.#durationMs = random.integer(8000, 25_000);
    const base = { time, faults, trace, oracle, config, broker: this.#broker, store: this.#store };
    const world = { ...base, random: random.fork('world') };
    this.#apartMs = Math.min(APART_MS_MAX, 0.8 * config['indexer.clock_skew_ms']);
    const wall = (): WallClock => this.#wall(random);
    const figures = { partitions, appendBytesMax: APPEND_BYTES_MAX };
    this.#forwarders = [
      new Forwarder(world, 'edge-a', wall(), figures),
      new Forwarder(world, 'edge-b', wall(), figures),
    ];
    this.#indexers = ['indexer-a', 'indexer-b', 'indexer-c'].map((name) => new IndexerPlace(world, name, wall()));
    const machines = { forwarders: this.#forwarders, indexers: this.#indexers };
    this.#disturbances = new Disturbances({ ...base, ...machines, random, apartMs: this.#apartMs });
    this.#senders = sendersOf({ ...world, forwarders: this.#forwarders }, random.fork('senders'), {
      durationMs: this.#durationMs,
      wallOf: (own) => this.#wall(own),
    });
  }

  #openBroker(partitions: number): Broker {
    const oracle = this.#oracle;
    const deadLetterTopic = this.#config['kafka.dead_letter_topic'];
    return new Broker({
      time: this.#time,
      random: this.#random.fork('broker'),
      faults: this.#faults,
      trace: this.#trace,
      topics: topicsOf(this.#config, partitions),
      appended: (name, partition, { offset, headers, value }) => {
        if (name === deadLetterTopic) oracle.deadLetterAppended(headers, value);
        else oracle.held(String(headers['encoding']), value, { partition, offset });
      },
      committed: (partition, offset, memberId, owner) => oracle.committing(partition, offset, memberId, owner),
    });
  }

  #openStore(): SimElasticsearch {
    return new SimElasticsearch({
      time: this.#time,
      random: this.#random.fork('store'),
      faults: this.#faults,
      trace: this.#trace,
      written: (written) => this.#oracle.stored(written),
      removed: (id, backing) => this.#oracle.removed(id, backing),
      bulkTimeoutMs: this.#config['bulk.timeout_ms'],
      late: (sender, byMs) => this.#disturbances.stopMidway(sender, byMs),
    });
  }

  #wall(random: Random): WallClock {
    return new WallClock(random.between(-this.#apartMs, this.#apartMs), random.between(-1e-4, 1e-4));
  }

  async run(): Promise<Outcome> {
    const rejected = (error: unknown): void => this.#oracle.violate(`unhandled: ${said(error)}`);
    process.on('unhandledRejection', rejected);
    process.on('uncaughtException', rejected);
    try {
      await this.#play();
    } catch (error) {
      this.#oracle.violate(said(error));
    } finally {
      await turn();
      process.off('unhandledRejection', rejected);
      process.off('uncaughtException', rejected);
    }
    return {
      seed: this.#seed,
      hash: this.#trace.hash,
      violations: this.#oracle.violations,
      faults: this.#faults.counts,
      totals: {
        ...this.#oracle.totals(),
        deduplicated: this.#indexers.reduce((sum, { deduplicated }) => sum + deduplicated, 0),
      },
      virtualMs: this.#time.nowMs,
    };
  }

  get #isViolated(): boolean {
    return this.#oracle.violations.length > 0;
  }

  async #play(): Promise<void> {
    const time = this.#time;
    for (const forwarder of this.#forwarders) forwarder.start();
    for (const indexer of this.#indexers.slice(0, 2)) void indexer.start();
    for (const sender of this.#senders) sender.start();
    this.#checkRunning();
    this.#disturbances.start();
    await this.#until(() => time.nowMs >= this.#durationMs, Infinity, '');
    await this.#drain();
    if (!this.#isViolated) this.#oracle.checkEnd(this.#broker.group.handovers);
  }

  async #drain(): Promise<void> {
    const time = this.#time;
    this.#trace.note('world', 'no more faults');
    this.#faults.end();
    this.#broker.isDown = this.#store.isDown = this.#store.isForbidden = this.#store.isBlocked = false;
    this.#store.isWithoutPipeline = false;
    const isByJob = this.#random.chance(0.2);
    this.#disturbances.isByJob = isByJob;
    for (const forwarder of this.#forwarders) {
      forwarder.disk.isFull = false;
      forwarder.start();
    }
    if (!isByJob) for (const indexer of this.#indexers.slice(0, 2)) void indexer.start();
    const unsent = (): string[] => this.#senders.filter(({ isDone }) => !isDone).map(({ name }) => name);
    await this.#until(
      () => unsent().length === 0,
      DRAIN_MS_MAX,
      () => `${unsent().join()} got no ack`,
    );
    // What was on its way to the brokers when its client gave it up is there now.
    await this.#until(() => time.nowMs > this.#durationMs + PRODUCE_LATE_MS_MAX, Infinity, '');
    await this.#stopForwarders();
    if (isByJob) await this.#drainByJob();
    await this.#until(
      () => this.#isCommitted,
      DRAIN_MS_MAX,
      () => `offsets stay behind: ${this.#lag}`,
    );
    await this.#end(Promise.all(this.#indexers.map((indexer) => indexer.stop())), 'the indexers do not stop');
  }

  /** What a stop leaves in a spool, the next start feeds. */
  async #stopForwarders(): Promise<void> {
    const isEmpty = (): boolean => this.#forwarders.every(({ disk }) => disk.isEmpty);
    for (let stops = 0; !this.#isViolated && (stops === 0 || !isEmpty()); stops++) {
      for (const forwarder of this.#forwarders) forwarder.start();
      if (stops > 0) await this.#until(isEmpty, DRAIN_MS_MAX, 'a spool is not emptied');
      await this.#end(Promise.all(this.#forwarders.map((forwarder) => forwarder.stop())), 'the forwarders do not stop');
    }
  }

  async #drainByJob(): Promise<void> {
    await this.#end(Promise.all(this.#indexers.map((indexer) => indexer.stop())), 'the indexers do not stop');
    for (const indexer of this.#indexers) if (indexer.run) indexer.kill();
    const [place] = this.#indexers;
    const outcome = await this.#end(place?.drain(200) ?? Promise.resolve(null), 'the drain job does not end');
    if (outcome?.drained !== true) this.#oracle.violate(`the drain job has not drained: ${outcome?.left}`);
  }

  get #logs(): Topic {
    return this.#broker.topic(this.#config['kafka.topic']);
  }

  get #isCommitted(): boolean {
    return this.#logs.partitions.every(({ length }, p) => (this.#broker.group.committed.get(p) ?? 0) === length);
  }

  get #lag(): string {
    return this.#logs.partitions
      .map(({ length }, p) => `${p}: ${this.#broker.group.committed.get(p) ?? 0} of ${length}`)
      .join(', ');
  }

  /** Steps until it is so, or something is violated. */
  async #until(condition: () => boolean, limitMs: number, otherwise: string | (() => string)): Promise<void> {
    const endMs = this.#time.nowMs + limitMs;
    while (!this.#isViolated && !condition()) {
      if (await this.#time.step(endMs)) continue;
      this.#oracle.violate(typeof otherwise === 'string' ? otherwise : otherwise());
    }
  }

  async #end<T>(promise: Promise<T>, otherwise: string): Promise<T | null> {
    let ended: { value: T } | null = null;
    promise.then(
      (value) => (ended = { value }),
      (error: unknown) => this.#oracle.violate(said(error)),
    );
    const isEnded = (): { value: T } | null => ended;
    await turn();
    await this.#until(() => isEnded() !== null, DRAIN_MS_MAX, otherwise);
    return isEnded()?.value ?? null;
  }

  /** Checks ledgers and budgets of all that live, again and again. */
  #checkRunning(): void {
    this.#time.after(CHECK_MS, () => {
      const when = `at ${this.#time.nowMs.toFixed(1)} ms`;
      for (const forwarder of this.#forwarders) forwarder.run?.check(when);
      for (const indexer of this.#indexers) indexer.run?.check(when);
      this.#checkRunning();
    });
  }
}

function said(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
