// An indexer of the simulation: the real service, or the real drain job, with the real consumer of the Kafka queue, in
// a process that can be killed at any moment and started again.

import { observeInLog } from '#shared/queue/queue-observer.ts';
import { type DrainOutcome, drainIndexer } from '#indexer/shells/drain.ts';
import { type Indexer, startIndexer } from '#indexer/shells/main.ts';
import type { RecordOpener } from '#indexer/poison/opener.ts';
import type { Config } from '#shared/config/settings.ts';
import type { Log } from '#shared/log.ts';
import { KafkaQueue } from '#shared/queue/kafka/kafka-queue.ts';
import { simulatedKafka } from './kafka/client.ts';
import type { ClientWorld } from './kafka/link.ts';
import { SimMetrics } from './metrics.ts';
import type { Oracle } from './oracle/oracle.ts';
import { SimProcess, type WallClock } from './machine/process.ts';
import type { SimElasticsearch } from './store/elasticsearch.ts';
import { SimStore } from './store/sim-store.ts';

export interface IndexerWorld extends ClientWorld {
  readonly oracle: Oracle;
  readonly config: Config;
  readonly store: SimElasticsearch;
}

/** What one run of an indexer is made of. */
class Parts {
  readonly process: SimProcess;
  readonly metrics = new SimMetrics();
  readonly queue: KafkaQueue;
  readonly options;
  readonly #world: IndexerWorld;

  constructor(world: IndexerWorld, name: string, wall: WallClock) {
    const { config, trace, time } = world;
    const process = new SimProcess(name, time, wall);
    const note = (event: string, fields?: object): void =>
      trace.note(name, fields ? `${event} ${JSON.stringify(fields)}` : event);
    const error = (event: string, fields: Readonly<Record<string, unknown>> = {}): void => {
      note(event, fields);
      const { partition, from, to } = fields;
      if (event === 'records_lost') world.oracle.reportedLost(Number(partition), Number(from), Number(to));
    };
    const log: Log = { debug: () => undefined, info: note, warn: note, error };
    const client = simulatedKafka(world, process);
    this.process = process;
    this.#world = world;
    this.queue = new KafkaQueue(config, {
      clock: process,
      client,
      observer: observeInLog(log),
      debug: () => undefined,
    });
    this.options = {
      config,
      queue: this.queue,
      store: new SimStore(world.store, process),
      metrics: this.metrics.registry,
      log,
      clock: process,
      random: world.random.fork(name).next,
      opener: openerOf(process),
    };
  }

  check(when: string): void {
    const { oracle, config } = this.#world;
    const imbalance = this.metrics.value('ledger_imbalance');
    if (imbalance !== 0) oracle.violate(`the ledger of ${this.process.name} is off by ${imbalance} ${when}`);
    // One fetch is on its way when the last of the room is taken.
    const bytesMax = config['indexer.inflight_max_bytes'] + FETCH_BYTES_MAX;
    const bytes = this.metrics.value('indexer_bytes');
    if (bytes > bytesMax) oracle.violate(`${this.process.name} holds ${bytes} bytes ${when}`);
  }
}

/** Time to try a record out. */
const TRY_MS = 20;

/** In place of a child process: no record does any harm. */
function openerOf(process: SimProcess): RecordOpener {
  return {
    unhealthyReason: null,
    async open(_, signal) {
      await process.sleep(TRY_MS, signal);
      return { kind: 'well' };
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/**
 * More than one fetch of all partitions has, with what its records and their opened values cost: 21,124 at most were
 * seen.
 */
const FETCH_BYTES_MAX = 100_000;

/** A place where indexers run, one after another. */
export class IndexerPlace {
  readonly name: string;
  readonly wall: WallClock;
  readonly #world: IndexerWorld;
  #parts: Parts | null = null;
  #indexer: Indexer | null = null;
  readonly #all: Parts[] = [];

  constructor(world: IndexerWorld, name: string, wall: WallClock) {
    this.#world = world;
    this.name = name;
    this.wall = wall;
  }

  get run(): Parts | null {
    return this.#parts;
  }

  /** Events that the store had already, as reported by all that ever ran here. */
  get deduplicated(): number {
    return this.#all.reduce((sum, { metrics }) => sum + metrics.total('events_deduplicated_total'), 0);
  }

  async start(): Promise<void> {
    if (this.#parts) return;
    this.#world.trace.note(this.name, 'starts');
    const parts = this.#newParts('');
    this.#indexer = await startIndexer(parts.options);
  }

  kill(): void {
    this.#world.trace.note(this.name, 'is killed');
    this.#parts?.process.kill();
    this.#parts = null;
    this.#indexer = null;
  }

  async stop(): Promise<void> {
    const parts = this.#parts;
    const indexer = this.#indexer;
    if (!parts || !indexer) return;
    this.#world.trace.note(this.name, 'stops');
    const stopped = indexer.stop().then(() => parts.queue[Symbol.asyncDispose]());
    const limit = parts.process.sleep(this.#world.config['shutdown.timeout_ms']);
    await Promise.race([stopped, limit, parts.process.ended]);
    if (this.#parts !== parts) return;
    parts.check('after its stop');
    parts.process.kill();
    this.#world.trace.note(this.name, 'has stopped');
    this.#parts = null;
    this.#indexer = null;
  }

  #newParts(what: string): Parts {
    const parts = new Parts(this.#world, `${this.name}.${what}${this.#all.length}`, this.wall);
    this.#all.push(parts);
    this.#parts = parts;
    return parts;
  }

  /** Runs a drain job to its end; null where it was killed. */
  async drain(maxSeconds: number): Promise<DrainOutcome | null> {
    const parts = this.#newParts('drain');
    const { signal } = new AbortController();
    const outcome = await Promise.race([
      drainIndexer({ ...parts.options, signal, maxSeconds }),
      parts.process.ended.then(() => null),
    ]);
    if (outcome !== null) {
      await parts.queue[Symbol.asyncDispose]();
      parts.check('after its drain');
      this.#world.trace.note(this.name, `drain: ${outcome.left ?? 'all done'}`);
    }
    parts.process.kill();
    if (this.#parts === parts) this.#parts = null;
    return outcome;
  }
}
