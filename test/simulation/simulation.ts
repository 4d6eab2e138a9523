// One run of the whole path from one seed: senders, two forwarders, Kafka, indexers, Elasticsearch, with faults for a
// while and then without, until everything has drained. What is promised is checked all along by the oracle.

import { setImmediate as turn } from 'node:timers/promises';
import { loadConfig } from '#shared/config/load.ts';
import type { Config } from '#shared/config/settings.ts';
import type { ForwardMode } from './events.ts';
import { type FaultName, Faults } from './faults.ts';
import { Forwarder } from './forwarder.ts';
import { IndexerPlace } from './indexer.ts';
import { Broker, type Topic } from './kafka/broker.ts';
import { PRODUCE_LATE_MS_MAX } from './kafka/producer.ts';
import { Oracle } from './oracle.ts';
import { WallClock } from './machine/process.ts';
import { Random } from './machine/random.ts';
import { ForwardSender, HttpSender, type Sender, type SenderWorld, contentOf } from './sender.ts';
import { SimElasticsearch } from './store.ts';
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

const DAY_MS = 86_400_000;
/** Longest that it may take to drain, and to stop, when nothing fails any more. */
const DRAIN_MS_MAX = 300_000;
const APPEND_BYTES_MAX = 12_000;
/** What clocks may be apart beside the allowed skew. */
const APART_MS_MAX = 2000;
/** Between two looks at the ledgers. */
const LOOK_MS = 200;
const BASE = loadConfig({ env: { SLUICE_KAFKA_BROKERS: 'simulated:9092' }, readFile: () => '' });

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
  /** Until then no pipeline goes missing. */
  #pipelineUntilMs = 0;
  /** The rest is for a drain job. */
  #isByJob = false;

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
    const deadLetterTopic = config['kafka.dead_letter_topic'];
    this.#broker = new Broker({
      time,
      random: random.fork('broker'),
      faults,
      trace,
      topics: new Map([
        [config['kafka.topic'], topic(partitions, APPEND_BYTES_MAX + 61)],
        // What is too large for a record of the logs goes in parts.
        [deadLetterTopic, topic(1, APPEND_BYTES_MAX + 61)],
      ]),
      appended: (name, partition, { offset, headers, value }) => {
        if (name === deadLetterTopic) oracle.deadLetterAppended(headers, value);
        else oracle.held(String(headers['encoding']), value, { partition, offset });
      },
      committed: (partition, offset, memberId, owner) => oracle.committing(partition, offset, memberId, owner),
    });
    this.#store = new SimElasticsearch({
      time,
      random: random.fork('store'),
      faults,
      trace,
      written: (written) => oracle.stored(written),
      removed: (id, backing) => oracle.removed(id, backing),
      bulkTimeoutMs: config['bulk.timeout_ms'],
      late: (sender, byMs) => this.#stopMidway(sender, byMs),
    });
    this.#durationMs = random.integer(8000, 25_000);
    const world = {
      time,
      random: random.fork('world'),
      faults,
      trace,
      oracle,
      config,
      broker: this.#broker,
      store: this.#store,
    };
    this.#apartMs = Math.min(APART_MS_MAX, 0.8 * config['indexer.clock_skew_ms']);
    const wall = (): WallClock => this.#wall(random);
    const figures = { partitions, appendBytesMax: APPEND_BYTES_MAX };
    this.#forwarders = [
      new Forwarder(world, 'edge-a', wall(), figures),
      new Forwarder(world, 'edge-b', wall(), figures),
    ];
    this.#indexers = ['indexer-a', 'indexer-b', 'indexer-c'].map((name) => new IndexerPlace(world, name, wall()));
    this.#senders = sendersOf({ ...world, forwarders: this.#forwarders }, random.fork('senders'), {
      durationMs: this.#durationMs,
      wallOf: (own) => this.#wall(own),
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
    this.#look();
    this.#disturb();
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
    this.#isByJob = this.#random.chance(0.2);
    for (const forwarder of this.#forwarders) {
      forwarder.disk.isFull = false;
      forwarder.start();
    }
    if (!this.#isByJob) for (const indexer of this.#indexers.slice(0, 2)) void indexer.start();
    const unsent = (): string[] => this.#senders.filter(({ isDone }) => !isDone).map(({ name }) => name);
    await this.#until(
      () => unsent().length === 0,
      DRAIN_MS_MAX,
      () => `${unsent().join()} got no ack`,
    );
    // What was on its way to the brokers when its client gave it up is there now.
    await this.#until(() => time.nowMs > this.#durationMs + PRODUCE_LATE_MS_MAX, Infinity, '');
    await this.#stopForwarders();
    if (this.#isByJob) await this.#drainByJob();
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

  /** Looks at ledgers and budgets of all that live, again and again. */
  #look(): void {
    this.#time.after(LOOK_MS, () => {
      const when = `at ${this.#time.nowMs.toFixed(1)} ms`;
      for (const forwarder of this.#forwarders) forwarder.run?.check(when);
      for (const indexer of this.#indexers) indexer.run?.check(when);
      this.#look();
    });
  }

  /** Each second, the troubles of processes and of whole services. */
  #disturb(): void {
    this.#time.after(1000, () => {
      if (this.#faults.isOver) return;
      for (const forwarder of this.#forwarders) this.#disturbForwarder(forwarder);
      for (const indexer of this.#indexers) this.#disturbIndexer(indexer);
      const faults = this.#faults;
      if (faults.strikes('rebalance', 'group')) this.#broker.group.prepare();
      if (faults.strikes('kafka_down', 'kafka')) {
        this.#broker.isDown = true;
        this.#later(500, 9000, () => (this.#broker.isDown = false));
      }
      if (faults.strikes('store_down', 'store')) {
        this.#store.isDown = true;
        this.#later(500, 9000, () => (this.#store.isDown = false));
      }
      if (faults.strikes('store_unauthorized', 'store')) {
        this.#store.isForbidden = true;
        this.#later(500, 5000, () => (this.#store.isForbidden = false));
      }
      if (faults.strikes('disk_full', 'disk')) {
        const { disk } = this.#random.pick(this.#forwarders);
        disk.isFull = true;
        this.#later(500, 9000, () => (disk.isFull = false));
      }
      if (faults.strikes('rollover', 'store')) this.#store.rollOver();
      if (faults.strikes('retention', 'kafka')) this.#removeSome();
      if (faults.strikes('index_blocked', 'store')) {
        this.#store.isBlocked = true;
        this.#later(500, 7000, () => (this.#store.isBlocked = false));
      }
      // Not again soon: two refusals in a row, each with a probe that is taken after it, do blame a document
      // (docs/guarantees.md).
      if (this.#time.nowMs > this.#pipelineUntilMs && faults.strikes('pipeline_missing', 'store')) {
        const lastsMs = this.#random.between(50, 5000);
        this.#pipelineUntilMs = this.#time.nowMs + lastsMs + 10_000;
        this.#store.isWithoutPipeline = true;
        this.#later(lastsMs, lastsMs, () => (this.#store.isWithoutPipeline = false));
      }
      this.#disturb();
    });
  }

  /** As retention does where indexers are late, and as it does where they are not. */
  #removeSome(): void {
    const name = this.#config['kafka.topic'];
    const partition = this.#random.integer(0, this.#logs.partitions.length - 1);
    // Of a group that has committed nothing yet nobody knows what it would have read; `sluice setup` commits for it
    // (setup.ts).
    if (!this.#broker.group.committed.has(partition)) return;
    const end = this.#logs.partitions[partition]?.length ?? 0;
    const before = this.#random.integer(this.#broker.low(name, partition), end);
    this.#broker.remove(name, partition, before);
    this.#oracle.recordsRemoved(partition, before);
  }

  #disturbForwarder(forwarder: Forwarder): void {
    const { name } = forwarder;
    this.#disturbWall(forwarder);
    if (!forwarder.run) return;
    const faults = this.#faults;
    const startAgain = (): void => this.#later(50, 3000, () => forwarder.start());
    if (faults.strikes('process_stalled', name)) forwarder.run.process.stall(this.#random.between(100, 20_000));
    if (faults.strikes('forwarder_killed', name)) {
      forwarder.kill();
      startAgain();
    } else if (faults.strikes('forwarder_stopped', name)) void forwarder.stop().then(startAgain);
  }

  #disturbIndexer(indexer: IndexerPlace): void {
    const { name } = indexer;
    const faults = this.#faults;
    this.#disturbWall(indexer);
    const isSpare = indexer === this.#indexers[2];
    if (!indexer.run) {
      if (isSpare && faults.strikes('indexer_added', name)) void indexer.start();
      else if (isSpare && faults.strikes('drain_job', name)) void indexer.drain(this.#random.integer(8, 30));
      return;
    }
    const startAgain = (): void => {
      if (!isSpare) this.#later(50, 3000, () => void (this.#isByJob || indexer.start()));
    };
    if (faults.strikes('process_stalled', name)) indexer.run.process.stall(this.#random.between(100, 20_000));
    if (faults.strikes('indexer_killed', name)) {
      indexer.kill();
      startAgain();
    } else if (faults.strikes('indexer_stopped', name)) void indexer.stop().then(startAgain);
  }

  /**
   * What a second look is for: the sender stops, and leaves when it has given up its request; another writes the same;
   * then the data stream rolls over, and the request is done.
   */
  #stopMidway(sender: string, lateMs: number): void {
    const indexer = this.#indexers.find(({ run }) => run?.process.name === sender);
    const givenUpMs = this.#config['bulk.timeout_ms'];
    const leftMs = lateMs - givenUpMs;
    if (!indexer || leftMs < 300 || !this.#faults.strikes('stopped_midway', sender)) return;
    void indexer.stop().then(() => this.#later(50, 3000, () => void (this.#isByJob || indexer.start())));
    this.#later(givenUpMs + 0.3 * leftMs, givenUpMs + 0.95 * leftMs, () => {
      if (!this.#faults.isOver) this.#store.rollOver();
    });
    // Whoever took over may die before its own look, and what it committed is read by nobody again.
    for (const other of this.#indexers) {
      if (other === indexer || !this.#random.chance(0.5)) continue;
      this.#later(givenUpMs + 0.7 * givenUpMs, 2 * givenUpMs, () => this.#killForAWhile(other));
    }
  }

  #killForAWhile(indexer: IndexerPlace): void {
    if (this.#faults.isOver || !indexer.run) return;
    indexer.kill();
    this.#later(50, 3000, () => void (this.#isByJob || indexer.start()));
  }

  #disturbWall({ name, wall }: { readonly name: string; readonly wall: WallClock }): void {
    if (!this.#faults.strikes('clock_jumped', name)) return;
    // What was written before a rollover is known by when it was received: by clocks that differ by no more than the
    // skew.
    const jumpMs = this.#random.pick([-1000, 1000, -50, -DAY_MS, DAY_MS]);
    if (!this.#faults.has('rollover')) wall.offsetMs += jumpMs;
    else wall.offsetMs = Math.max(-this.#apartMs, Math.min(this.#apartMs, wall.offsetMs + jumpMs));
  }

  #later(leastMs: number, mostMs: number, action: () => void): void {
    this.#time.after(this.#random.between(leastMs, mostMs), action);
  }
}

/** Sizes that are reached with few events, and times that do not make a run long. */
function configOf(random: Random): Config {
  return {
    ...BASE,
    'kafka.produce_timeout_ms': random.integer(3000, 8000),
    'intake.max_bytes': random.integer(8000, 60_000),
    'gather.linger_ms': random.pick([0, 0, 5]),
    'gather.record_bytes': random.integer(500, 4000),
    'indexer.inflight_max_bytes': random.integer(4000, 120_000),
    'bulk.max_bytes': random.integer(1000, 20_000),
    'bulk.timeout_ms': random.integer(1000, 4000),
    'bulk.concurrency': random.integer(1, 4),
    'indexer.clock_skew_ms': random.pick([500, 2000, 5000, BASE['indexer.clock_skew_ms']]),
    'join.timeout_ms': random.integer(100, 1000),
    'shutdown.timeout_ms': random.integer(2000, 9000),
  };
}

function topic(partitions: number, batchBytesMax: number): Topic {
  return { partitions: Array.from({ length: partitions }, () => []), batchBytesMax };
}

interface SendersGiven {
  readonly durationMs: number;
  readonly wallOf: (random: Random) => WallClock;
}

function sendersOf(world: SenderWorld, random: Random, { durationMs, wallOf }: SendersGiven): Sender[] {
  const senders: Sender[] = [];
  const dockerShare = random.pick([0.2, 0.4, 1]);
  for (let i = random.integer(3, 6); i > 0; i--) {
    const name = `s${senders.length}`;
    const own = random.fork(name);
    const wall = own.chance(0.1) ? null : wallOf(own);
    if (own.chance(0.25)) {
      const hasId = own.chance(0.6);
      const dues = contentOf(world, own, { name, hasId, isDocker: false, durationMs, wall });
      senders.push(new HttpSender(world, own, name, dues));
      continue;
    }
    const isDocker = own.chance(dockerShare);
    const hasId = own.chance(0.85);
    const dues = contentOf(world, own, { name, hasId, isDocker, durationMs, wall });
    const window = isDocker ? 1 : own.integer(1, 5);
    const mode = isDocker ? 'message' : own.pick<ForwardMode>(['forward', 'packed', 'gzip', 'zstd']);
    senders.push(new ForwardSender(world, own, { name, mode, window, wanders: own.chance(0.1) }, dues));
  }
  return senders;
}

function said(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
