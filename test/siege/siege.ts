// One siege: a calm in which the good senders' rate is taken, a search for the costliest inputs, then all of them at
// once with the bad peers; then quiet, until all that was acked is stored, and everything is counted.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Load } from '#test/chaos/load.ts';
import type { AttackerOptions, Told, Wish } from './attacker.ts';
import { HttpSender } from './http-sender.ts';
import { countIntruders, readGoodDocuments } from './read-back.ts';
import { type Reading, type Target, turnsAbove } from './target.ts';
import type { Bars, DiskFacts, Facts, TargetFacts } from './verdict.ts';
import { type Backend, diskBytesMax, startWorld, type World } from './world.ts';

const forwardSenders = 6;
const warmUpMs = 4000;
/** Beyond so many events behind, attackers wait: what is admitted and well formed is no attack by its mass. */
const backlogMax = 150_000;
const backlogLowMark = 50_000;
const lookMs = 500;
const restMs = 600_000;
const quietLooks = 3;

export interface SiegeOptions {
  readonly backend: Backend;
  readonly seed: number;
  readonly calmMs: number;
  readonly searchMs: number;
  readonly siegeMs: number;
  readonly peers: number;
  readonly eventsPerSecond: number;
  readonly memoryBytesMax: number;
  readonly bars: Bars;
  readonly logDir: string;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

export interface Outcome {
  readonly facts: Facts;
  readonly told: Told;
}

export async function runSiege(options: SiegeOptions): Promise<Outcome> {
  const { backend, memoryBytesMax, logDir } = options;
  await using world = await startWorld({ backend, memoryBytesMax, logDir });
  return await new Siege(options, world).toEnd();
}

class Siege {
  readonly #options: SiegeOptions;
  readonly #world: World;
  readonly #found: string[] = [];
  readonly #fallen = new Map<string, string>();
  #before: ReadonlyMap<Target, Reading> = new Map();
  #after: ReadonlyMap<Target, Reading> = new Map();
  #heldMs = 0;
  /** Aborted when there is nothing left to wait for: a target ended, or the run is stopped. */
  readonly #ending = new AbortController();
  #isCounted = false;

  constructor(options: SiegeOptions, world: World) {
    this.#options = options;
    this.#world = world;
    options.signal.addEventListener('abort', () => this.#ending.abort());
    for (const target of world.targets) {
      void target.process.finished.then(({ code, stderr }) => this.#fell(target, code, stderr));
    }
  }

  #fell({ name }: Target, code: number | null, stderr: string): void {
    if (this.#isCounted) return;
    const how = `${code === null ? 'by a signal, as for want of memory' : `with ${code}`} ${stderr.slice(-1000)}`;
    this.#fallen.set(name, how);
    this.#options.say(`${name} ended ${how}`);
    this.#ending.abort();
  }

  async toEnd(): Promise<Outcome> {
    const { eventsPerSecond, seed, calmMs, searchMs, siegeMs, signal, say } = this.#options;
    const { ports } = this.#world;
    await using load = new Load({
      name: `siege-${seed}`,
      ports: [ports.forward],
      senders: forwardSenders,
      eventsPerSecond: eventsPerSecond / 2,
      realClient: false,
    });
    await using http = new HttpSender({ port: ports.http, eventsPerSecond: eventsPerSecond / 2, books: load.books });
    await this.#pause(warmUpMs);
    this.#before = await this.#readAll();
    say('calm: the good senders alone');
    const calmRate = await this.#rateOf(load, () => this.#pause(calmMs));
    await using attacker = new Attackers(this.#attackerOptions());
    say(`a search for the costliest inputs, ${searchMs / 1000} s`);
    attacker.tell('search');
    await this.#keepUp(attacker, searchMs);
    say(`siege, ${siegeMs / 1000} s`);
    attacker.tell('siege');
    const siegeRate = await this.#rateOf(load, () => this.#keepUp(attacker, siegeMs));
    signal.throwIfAborted();
    const told = await attacker.finish();
    this.#after = await this.#readAll();
    say('no more attacks: all is to come to rest');
    await Promise.race([Promise.all([load.finish(), http.finish()]), this.#pause(restMs)]);
    signal.throwIfAborted();
    if (load.books.inFlight > 0) this.#found.push(`${load.books.inFlight} events were never acked`);
    await this.#rest();
    this.#isCounted = true;
    const targets = await Promise.all(this.#world.targets.map((target) => this.#factsOf(target)));
    const disk = this.#disk();
    say('counting');
    await readGoodDocuments(this.#world, load.books);
    const intruders = await countIntruders(this.#world);
    for (const target of this.#world.targets) {
      if (this.#fallen.has(target.name)) continue;
      const code = await target.stop();
      if (code !== 0) this.#found.push(`${target.name} exited with ${code} after SIGTERM`);
    }
    const facts: Facts = {
      bars: this.#options.bars,
      targets,
      disk,
      calmRate,
      siegeRate,
      counts: load.books.count(),
      intruders,
      intrusions: told.intruded,
      shots: told.shots,
      tried: told.tried,
      attackBytes: told.bytes,
      peersOpened: told.peersOpened,
      peersAtOnce: told.peersAtOnce,
      heldSeconds: this.#heldMs / 1000,
      faultsFound: this.#found,
    };
    return { facts, told };
  }

  #attackerOptions(): AttackerOptions {
    const { targets, ports } = this.#world;
    return {
      ports,
      admins: targets.map(({ place }) => place.admin),
      pids: targets.map(({ pid }) => pid),
      seed: this.#options.seed,
      peers: this.#options.peers,
    };
  }

  /** Acked events per second while `phase` lasts. */
  async #rateOf(load: Load, phase: () => Promise<unknown>): Promise<number> {
    const [acked, sinceMs] = [load.books.acked, performance.now()];
    await phase();
    return ((load.books.acked - acked) * 1000) / (performance.now() - sinceMs);
  }

  /** Lets so much time pass; attackers wait while the queue is far behind. */
  async #keepUp(attacker: Attackers, ms: number): Promise<void> {
    const endMs = performance.now() + ms;
    let heldSinceMs: number | null = null;
    while (performance.now() < endMs && !this.#ending.signal.aborted) {
      await this.#pause(lookMs);
      const behind = await this.#behind();
      if (heldSinceMs === null && behind > backlogMax) {
        heldSinceMs = performance.now();
        attacker.tell('hold');
      } else if (heldSinceMs !== null && behind < backlogLowMark) {
        this.#heldMs += performance.now() - heldSinceMs;
        heldSinceMs = null;
        attacker.tell('go on');
      }
    }
    if (heldSinceMs !== null) {
      this.#heldMs += performance.now() - heldSinceMs;
      attacker.tell('go on');
    }
  }

  /** Events that are received and not stored; what could not be asked counts as none. */
  async #behind(): Promise<number> {
    let received = 0;
    let settled = 0;
    for (const { sums } of (await this.#readAll()).values()) {
      received += (sums.get('events_produced_total') ?? 0) + (sums.get('events_inflight') ?? 0);
      for (const name of ['indexed', 'deduplicated', 'dead_lettered']) settled += sums.get(`events_${name}_total`) ?? 0;
    }
    return received - settled;
  }

  async #readAll(): Promise<Map<Target, Reading>> {
    const readings = new Map<Target, Reading>();
    for (const target of this.#world.targets) {
      const reading = await target.read().catch(() => null);
      if (reading !== null) readings.set(target, reading);
    }
    return readings;
  }

  /** Waits until all that was taken is stored. */
  async #rest(): Promise<void> {
    const deadlineMs = performance.now() + restMs;
    let settled = -1;
    // Also where one of them has fallen: what the others have in hand is stored before it is counted.
    const { signal } = this.#options;
    for (let quiet = 0; quiet < quietLooks; await delay(lookMs, undefined, { signal })) {
      const readings = await this.#readAll();
      const sum = (name: string): number =>
        [...readings.values()].reduce((all, { sums }) => all + (sums.get(name) ?? 0), 0);
      const now = sum('events_consumed_total') + sum('events_produced_total');
      const isQuiet = sum('events_inflight') === 0 && sum('indexer_lag_records') === 0 && now === settled;
      quiet = isQuiet ? quiet + 1 : 0;
      settled = now;
      if (performance.now() > deadlineMs) {
        this.#found.push(`not at rest ${restMs / 1000} s after the last attack`);
        return;
      }
    }
  }

  async #factsOf(target: Target): Promise<TargetFacts> {
    const { bars } = this.#options;
    const before = this.#before.get(target)?.turns ?? new Map<number, number>();
    const after = this.#after.get(target)?.turns ?? new Map<number, number>();
    const { above: turnsLong, all: turns } = turnsAbove(bars.turnSeconds, before, after);
    const bounds = [...after.keys()].sort((a, b) => a - b);
    const latencies = target.livezMs.toSorted((a, b) => a - b);
    const reading = await target.read().catch(() => null);
    return {
      name: target.name,
      limitedBy: target.limit.how,
      turns,
      turnsLong,
      turnsTooLong: turnsAbove(bars.turnSecondsMax, before, after).above,
      longestTurnSeconds: bounds.find((bound) => turnsAbove(bound, before, after).above === 0) ?? Infinity,
      peakRssBytes: Math.max(target.peakRssBytes, target.peakNow()),
      livezMissed: target.livezMissed,
      livezP99Ms: latencies[Math.floor(latencies.length * 0.99)] ?? 0,
      ledgerImbalance: reading?.sums.get('ledger_imbalance') ?? 0,
      fell: this.#fallen.get(target.name) ?? null,
    };
  }

  #disk(): DiskFacts[] {
    return this.#world.targets.flatMap(({ name, place }) =>
      readdirSync(place.dataDir, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name: folder }) => ({
          folder: `${name}/${folder}`,
          bytes: bytesIn(join(place.dataDir, folder)),
          bytesMax: (diskBytesMax as Readonly<Record<string, number>>)[folder] ?? null,
        })),
    );
  }

  #pause(ms: number): Promise<unknown> {
    return delay(ms, undefined, { signal: this.#ending.signal }).catch(() => undefined);
  }
}

/** The process of the attackers. */
class Attackers implements AsyncDisposable {
  readonly #child: ChildProcess;

  constructor(options: AttackerOptions) {
    // Ctrl-C is for us to see; it ends when the channel to us closes.
    this.#child = fork(join(import.meta.dirname, 'attacker.ts'), [JSON.stringify(options)], { detached: true });
  }

  tell(wish: Wish): void {
    if (this.#child.connected) this.#child.send(wish);
  }

  async finish(): Promise<Told> {
    const told = once(this.#child, 'message');
    this.tell('finish');
    return ((await told) as [Told])[0];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.kill('SIGKILL')) await once(this.#child, 'exit');
  }
}

function bytesIn(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0;
  }
  return bytes;
}
