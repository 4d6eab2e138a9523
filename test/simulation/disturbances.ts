// What goes wrong with processes, clocks and whole services while faults are on: they are killed, stopped and stalled,
// are away for a while, roll over, lose records. What goes wrong with single requests is decided where they are made.

import type { Config } from '#shared/config/settings.ts';
import type { Faults } from './faults.ts';
import type { Forwarder } from './forwarder.ts';
import type { IndexerPlace } from './indexer.ts';
import type { Broker, Topic } from './kafka/broker.ts';
import type { WallClock } from './machine/process.ts';
import type { Random } from './machine/random.ts';
import type { SimTime } from './machine/time.ts';
import type { Oracle } from './oracle/oracle.ts';
import type { SimElasticsearch } from './store/elasticsearch.ts';

const DAY_MS = 86_400_000;

export interface Disturbed {
  readonly time: SimTime;
  readonly random: Random;
  readonly faults: Faults;
  readonly oracle: Oracle;
  readonly config: Config;
  readonly broker: Broker;
  readonly store: SimElasticsearch;
  readonly forwarders: readonly [Forwarder, Forwarder];
  readonly indexers: readonly IndexerPlace[];
  /** Clocks are wrong by so much at most. */
  readonly apartMs: number;
}

export class Disturbances {
  /** The rest is for a drain job: indexers that are gone stay gone. */
  isByJob = false;
  readonly #time: SimTime;
  readonly #random: Random;
  readonly #faults: Faults;
  readonly #oracle: Oracle;
  readonly #config: Config;
  readonly #broker: Broker;
  readonly #store: SimElasticsearch;
  readonly #forwarders: readonly [Forwarder, Forwarder];
  readonly #indexers: readonly IndexerPlace[];
  readonly #apartMs: number;
  /** Until then no pipeline goes missing. */
  #pipelineUntilMs = 0;

  constructor(disturbed: Disturbed) {
    this.#time = disturbed.time;
    this.#random = disturbed.random;
    this.#faults = disturbed.faults;
    this.#oracle = disturbed.oracle;
    this.#config = disturbed.config;
    this.#broker = disturbed.broker;
    this.#store = disturbed.store;
    this.#forwarders = disturbed.forwarders;
    this.#indexers = disturbed.indexers;
    this.#apartMs = disturbed.apartMs;
  }

  get #logs(): Topic {
    return this.#broker.topic(this.#config['kafka.topic']);
  }

  /** Each second, the troubles of processes and of whole services. */
  start(): void {
    this.#time.after(1000, () => {
      if (this.#faults.isOver) return;
      for (const forwarder of this.#forwarders) this.#disturbForwarder(forwarder);
      for (const indexer of this.#indexers) this.#disturbIndexer(indexer);
      this.#disturbServices();
      this.start();
    });
  }

  #disturbServices(): void {
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
      if (!isSpare) this.#later(50, 3000, () => void (this.isByJob || indexer.start()));
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
  stopMidway(sender: string, lateMs: number): void {
    const indexer = this.#indexers.find(({ run }) => run?.process.name === sender);
    const givenUpMs = this.#config['bulk.timeout_ms'];
    const leftMs = lateMs - givenUpMs;
    if (!indexer || leftMs < 300 || !this.#faults.strikes('stopped_midway', sender)) return;
    void indexer.stop().then(() => this.#later(50, 3000, () => void (this.isByJob || indexer.start())));
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
    this.#later(50, 3000, () => void (this.isByJob || indexer.start()));
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
