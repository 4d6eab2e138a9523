// One run: load, faults after a schedule, then quiet, and everything is counted.

import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Load } from './load.ts';
import { Observer } from './observer.ts';
import { placesOf, readDeadLetters, readDocuments } from './read-back.ts';
import { type Fault, scheduleOf } from './schedule.ts';
import { strike, takenBy } from './faults/strike.ts';
import type { Bar, Facts, Struck } from './verdict.ts';
import { World } from './world.ts';

const sendersOfEach = 6;
const pollMs = 100;
/** How long a fault waits for something to be in flight, so that it finds something to break. */
const inFlightWaitMs = 1000;
const progressMs = 10_000;
/** How long everything may take to come to rest after the last fault. */
const restMs = 300_000;
/** A group takes a member for gone after its session timeout. */
const sessionMs = 15_000;

export interface ChaosOptions {
  readonly seed: number;
  readonly minutes: number;
  readonly faults: number;
  /** No fault lasts longer. */
  readonly lastsMsMax: number;
  readonly eventsPerSecond: number;
  readonly bar: Bar;
  readonly dataDir: string;
  readonly logDir: string;
  readonly mayMount: boolean;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

export interface Outcome {
  readonly facts: Facts;
  /** A line for each event that was lost or doubled, up to a few. */
  readonly lost: readonly string[];
  readonly duplicated: readonly string[];
}

export async function runChaos(options: ChaosOptions): Promise<Outcome> {
  const falls: Fall[] = [];
  const fell = (name: string, code: number | null): void => void falls.push({ name, code });
  await using world = await World.start({ ...options, fell });
  for (const { folder, whyNot } of world.disks) {
    if (whyNot !== null) options.say(`!! ${folder} is not a disk of its own and cannot be filled up: ${whyNot}`);
  }
  const [clockless] = world.members.flatMap(({ clock }) => clock.whyNot ?? []);
  if (clockless !== undefined) options.say(`!! clocks cannot jump: ${clockless}`);
  await using observer = new Observer(world);
  await using load = new Load({
    name: `chaos-${options.seed}`,
    ports: world.senderProxies.map(({ port }) => port),
    senders: sendersOfEach,
    eventsPerSecond: options.eventsPerSecond,
  });
  return await new Run(options, { world, observer, load, falls }).toEnd();
}

/** A process that ended by itself. */
interface Fall {
  readonly name: string;
  readonly code: number | null;
}

interface Parts {
  readonly world: World;
  /** Grows while the run goes on. */
  readonly falls: readonly Fall[];
  readonly observer: Observer;
  readonly load: Load;
}

class Run {
  readonly #options: ChaosOptions;
  readonly #parts: Parts;
  readonly #beganMs = performance.now();
  readonly #struck: Struck[] = [];
  readonly #found: string[] = [];
  /** What faults have taken away now. */
  readonly #taken = new Set<string>();
  readonly #atWork = new Set<Promise<void>>();
  #membershipChanges = 0;
  /** Why the run cannot go on. */
  #failure: unknown = null;

  constructor(options: ChaosOptions, parts: Parts) {
    this.#options = options;
    this.#parts = parts;
    this.#membershipChanges = parts.world.indexers.length;
  }

  async toEnd(): Promise<Outcome> {
    const { signal, say, minutes } = this.#options;
    const progress = setInterval(() => void this.#tellProgress(), progressMs);
    try {
      await this.#strikeAll();
      await this.#pause(Math.max(0, this.#beganMs + minutes * 60_000 - performance.now()));
      const seconds = this.#seconds;
      signal.throwIfAborted();
      say('no more faults: everything runs again, and is to come to rest');
      await this.#rest();
      await this.#endAll();
      return await this.#count(seconds);
    } finally {
      clearInterval(progress);
    }
  }

  get #seconds(): number {
    return (performance.now() - this.#beganMs) / 1000;
  }

  /** The faults in their order, but for those that cannot strike now: they are put off, and the next one is taken. */
  async #strikeAll(): Promise<void> {
    const { seed, faults, minutes, lastsMsMax, signal } = this.#options;
    const left = scheduleOf(seed, { count: faults, everyMs: (minutes * 60_000) / faults, lastsMsMax });
    while (left.length > 0 && !signal.aborted && this.#failure === null) {
      await this.#pause(left[0]?.afterMs ?? 0);
      let next = await this.#firstThatCan(left);
      for (; next < 0 && !signal.aborted; next = await this.#firstThatCan(left)) await this.#pause(pollMs);
      const [fault] = left.splice(next, 1);
      if (fault !== undefined && !signal.aborted) await this.#strike(fault);
    }
    await Promise.all(this.#atWork);
    if (this.#failure !== null) throw this.#failure;
  }

  async #firstThatCan(faults: readonly Fault[]): Promise<number> {
    let inSync: boolean | null = null;
    for (const [i, fault] of faults.entries()) {
      const wanted = takenBy(fault);
      if (wanted.some((name) => this.#taken.has(name))) continue;
      // Never more than one broker away: the one before must be back in sync, too.
      if (wanted.includes('brokers') && !(inSync ??= await this.#parts.observer.replicasInSync())) continue;
      return i;
    }
    return -1;
  }

  async #strike(fault: Fault): Promise<void> {
    const { world, observer, load } = this.#parts;
    if (fault.kind.includes('disk full') && world.disks.some(({ whyNot }) => whyNot !== null)) return;
    if (fault.kind.startsWith('clock') && world.members.some(({ clock }) => clock.whyNot !== null)) return;
    if (fault.kind.endsWith('killed') || fault.kind.endsWith('restarted')) await observer.scrape();
    const unacked = await load.inFlight(inFlightWaitMs);
    this.#struck.push({ kind: fault.kind, unacked });
    this.#note({ began: fault.kind, which: fault.which, lastsMs: fault.lastsMs, unacked });
    if (fault.kind === 'indexer killed' || fault.kind === 'indexer restarted') this.#membershipChanges += 2;
    if (fault.kind === 'indexer frozen' && fault.lastsMs > sessionMs) this.#membershipChanges += 2;
    const taken = takenBy(fault);
    for (const name of taken) this.#taken.add(name);
    const atWork = strike({ world, load }, fault, this.#options.signal)
      .catch((error: unknown) => (this.#failure ??= error))
      .finally(() => {
        for (const name of taken) this.#taken.delete(name);
        this.#atWork.delete(atWork);
        this.#note({ ended: fault.kind, which: fault.which });
      })
      .then(() => undefined);
    this.#atWork.add(atWork);
  }

  /**
   * Waits until all that was sent is acked, and all that was acked is committed. What does not come to rest is a
   * finding.
   */
  async #rest(): Promise<void> {
    const { world, observer, load } = this.#parts;
    const deadlineMs = performance.now() + restMs;
    const overdue = new AbortController();
    const acked = load.finish().then(() => true);
    const ended = await Promise.race([acked, delay(restMs, false, { signal: overdue.signal })]);
    overdue.abort();
    if (!ended)
      this.#found.push(`${load.books.inFlight} events were not acked ${restMs / 1000} s after the last fault`);
    await world.ready();
    await world.doomed.atRest(this.#options.signal).catch((error: unknown) => void this.#found.push(String(error)));
    for (let quiet = 0; quiet < 3;) {
      await observer.scrape();
      const lag = await observer.lag();
      const inHand = observer.now('events_inflight') + observer.now('events_spooled');
      quiet = lag === 0 && inHand === 0 ? quiet + 1 : 0;
      if (performance.now() > deadlineMs) {
        this.#found.push(
          `not at rest ${restMs / 1000} s after the last fault: lag ${lag} records, in hand ${inHand} events`,
        );
        return;
      }
      this.#options.signal.throwIfAborted();
      await delay(pollMs * 5);
    }
  }

  /** As an operator would, so that each process says how it ends. */
  async #endAll(): Promise<void> {
    const { world, observer, falls } = this.#parts;
    await observer.scrape();
    for (const { name, code } of falls) {
      // Without a disk to spool to a forwarder does not start: it says so, and whoever runs it starts it again.
      if (!name.startsWith('forwarder') || code !== 1) this.#found.push(`${name} ended by itself, with ${code}`);
    }
    for (const imbalance of observer.imbalances) this.#found.push(`a ledger did not close: ${imbalance}`);
    for (const member of world.members) {
      await member.stop();
      if (member.exitCode !== 0) this.#found.push(`${member.name} exited with ${member.exitCode} after SIGTERM`);
    }
  }

  async #count(seconds: number): Promise<Outcome> {
    const { world, observer, load } = this.#parts;
    const { seed, bar, say, logDir } = this.#options;
    const { url } = world.elasticsearch;
    say('counting');
    const { books, clientBooks } = load;
    const { probes, strangers } = await readDocuments(url, { books, clientBooks, doomedBooks: world.doomed.books });
    for (const stranger of strangers) say(`nobody sent ${stranger}`);
    const others = readDeadLetters(await world.linesOf('cat', '--topic', 'dead-letters'), load);
    if (others.length > 0) this.#found.push(`${others.length} dead letters are of no single event: ${others[0]}`);
    const facts = {
      seed,
      seconds,
      bar,
      counts: load.books.count(),
      client: load.clientBooks.count(),
      doomed: world.doomed.count(),
      torn: load.books.countTorn(),
      struck: this.#struck,
      probes,
      resentChunks: load.resentChunks,
      deduplicated: observer.total('events_deduplicated_total'),
      rebalances: rebalancesIn(logDir),
      membershipChanges: this.#membershipChanges,
      falls: this.#parts.falls.length,
      faultsFound: this.#found,
    };
    return {
      facts,
      lost: await placesOf(url, load.books.lost()),
      duplicated: await placesOf(url, load.books.duplicated()),
    };
  }

  async #tellProgress(): Promise<void> {
    const { load, observer } = this.#parts;
    const { sent, acked, inFlight } = load.books;
    const lag = await observer.lag();
    this.#options.say(
      `${Math.round(this.#seconds)} s: ${this.#struck.length} faults (now: ${[...this.#taken].join(', ') || 'none'}), ` +
        `${sent} sent, ${acked} acked, ${inFlight} in flight, lag ${lag ?? '?'} records`,
    );
  }

  #note(fields: object): void {
    const line = JSON.stringify({ time: new Date().toISOString(), ...fields });
    appendFileSync(join(this.#options.logDir, 'faults.log'), `${line}\n`);
  }

  #pause(ms: number): Promise<unknown> {
    return delay(ms, undefined, { signal: this.#options.signal }).catch(() => undefined);
  }
}

/** Generations of the indexers' group, by what the brokers' logs say. */
function rebalancesIn(logDir: string): number {
  const generations = new Set<string>();
  for (const name of readdirSync(logDir).filter((name) => name.startsWith('broker-'))) {
    for (const [, generation = ''] of readFileSync(join(logDir, name), 'utf8').matchAll(
      /Stabilized group sluice-indexer generation (\d+)/g,
    )) {
      generations.add(generation);
    }
  }
  // The first generation is the start.
  return Math.max(0, generations.size - 1);
}
