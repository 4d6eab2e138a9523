// The attackers, as a process of their own: first a search for the costliest inputs, then all of them at once, with
// thousands of bad peers. Forked by siege.ts; it ends with its parent.
//
//   node attacker.ts '{"ports":{…},"admins":[…],"pids":[…],"seed":1,"peers":5000}'
//
// The search measures each input by itself: processor time of the targets' main threads per byte sent, the longest turn
// of their event loops, and growth of their memory per byte sent. What got worse is kept, and changed further.

import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, type Genome, mutated, type Random, seeded, seedsOf } from './genome.ts';
import { Peers } from './peers.ts';
import { shapes } from './shapes.ts';
import { type Answer, type Shot, shoot, shotOf } from './shot.ts';
import { readingOf } from './target.ts';
import type { Ports } from './world.ts';

export interface AttackerOptions {
  readonly ports: Ports;
  /** Ports of the targets' admin pages, and their processes. */
  readonly admins: readonly number[];
  readonly pids: readonly number[];
  readonly seed: number;
  readonly peers: number;
}

/** What the parent says: begin the search, begin the siege, wait (the queue is far behind), go on, end. */
export type Wish = 'search' | 'siege' | 'hold' | 'go on' | 'finish';

export interface Worst {
  readonly input: string;
  readonly cpuUsPerByte: number;
  /** Bound of the histogram that its longest turn stayed below. */
  readonly turnSeconds: number;
  readonly memoryPerByte: number;
  readonly said: string;
}

export interface Told {
  readonly worst: readonly Worst[];
  readonly tried: number;
  readonly shots: number;
  readonly bytes: number;
  /** Answers of the siege by what was said. */
  readonly answers: Readonly<Record<string, number>>;
  readonly peersOpened: number;
  readonly peersAtOnce: number;
  readonly intruded: number;
}

interface Cost {
  readonly cpuUsPerByte: number;
  readonly turnSeconds: number;
  readonly memoryPerByte: number;
}

interface Measured extends Cost {
  readonly genome: Genome;
  readonly shot: Shot;
  readonly said: string;
}

const objectives = ['cpuUsPerByte', 'turnSeconds', 'memoryPerByte'] as const;
/** Shots on their way at a time. */
const gunners = 4;
const pauseMs = 20;
/** Costs of less than so many bytes are mostly those of a request. */
const countedBytesMin = 1024;
/** After an answer, for what is done behind it. */
const settleMs = 30;
const backgroundMs = 1500;
const pageBytes = 4096;

class Attacker {
  readonly #options: AttackerOptions;
  readonly #random: Random;
  /** The worst of each shape, by what it is worst at. */
  readonly #champions = new Map<string, Measured>();
  readonly #answers: Record<string, number> = {};
  #isSearching = true;
  #isHeld = false;
  #backgroundUsPerMs = 0;
  #tried = 0;
  #shots = 0;
  #bytes = 0;
  #peers: Peers | null = null;

  constructor(options: AttackerOptions) {
    this.#options = options;
    this.#random = seeded(options.seed);
  }

  get told(): Told {
    const worst = [...new Set(this.#champions.values())].map(
      ({ genome, cpuUsPerByte, turnSeconds, memoryPerByte, said }): Worst => ({
        input: describe(genome),
        cpuUsPerByte,
        turnSeconds,
        memoryPerByte,
        said,
      }),
    );
    const peers = this.#peers;
    return {
      worst,
      tried: this.#tried,
      shots: this.#shots,
      bytes: this.#bytes,
      answers: this.#answers,
      peersOpened: peers?.opened ?? 0,
      peersAtOnce: peers?.mostAtOnce ?? 0,
      intruded: peers?.intruded ?? 0,
    };
  }

  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
  }

  async search(): Promise<void> {
    await this.#lookAtBackground();
    const seeds = shapes.flatMap((shape) => seedsOf(shape).slice(0, 1));
    const others = shapes.flatMap((shape) => seedsOf(shape).slice(1));
    for (const genome of [...seeds, ...others]) {
      if (!this.#isSearching) return;
      await this.#try(genome);
    }
    while (this.#isSearching) {
      const all = [...this.#champions.values()];
      const parent = all[Math.floor(this.#random() * all.length)];
      if (parent !== undefined) await this.#try(mutated(parent.genome, this.#random));
    }
  }

  async siege(): Promise<void> {
    this.#isSearching = false;
    this.#peers = new Peers(this.#options.ports, this.#options.peers, this.#random);
    const shots = [...this.#champions.values()].map(({ shot }) => shot);
    await Promise.all(Array.from({ length: gunners }, (_, i) => this.#fire(shots, i)));
  }

  async #fire(shots: readonly Shot[], first: number): Promise<void> {
    for (let i = first; ; i += gunners) {
      while (this.#isHeld) await delay(pauseMs);
      const shot = shots[i % shots.length];
      if (shot === undefined) return;
      this.#count(shot, await shoot(shot, this.#options.ports));
      await delay(pauseMs);
    }
  }

  #count({ shape, bytes }: Shot, { said }: Answer): void {
    this.#shots++;
    this.#bytes += bytes.length;
    const key = `${shape.via} ${said}`;
    this.#answers[key] = (this.#answers[key] ?? 0) + 1;
  }

  async #try(genome: Genome): Promise<void> {
    while (this.#isHeld) await delay(pauseMs);
    const shot = shotOf(genome);
    const before = await this.#look();
    const { said } = await shoot(shot, this.#options.ports);
    await delay(settleMs);
    const after = await this.#look();
    this.#tried++;
    const cpuUs = after.cpuUs - before.cpuUs - this.#backgroundUsPerMs * (after.atMs - before.atMs);
    const bytes = Math.max(countedBytesMin, shot.bytes.length);
    const measured: Measured = {
      genome,
      shot,
      said,
      cpuUsPerByte: cpuUs / bytes,
      turnSeconds: longestTurn(before.turns, after.turns),
      memoryPerByte: (after.memoryBytes - before.memoryBytes) / bytes,
    };
    for (const objective of objectives) {
      const key = `${genome.shape.name} ${objective}`;
      const best = this.#champions.get(key);
      if (best === undefined || best[objective] < measured[objective]) this.#champions.set(key, measured);
    }
  }

  /** What the good senders cost, which is none of an input's. */
  async #lookAtBackground(): Promise<void> {
    const before = await this.#look();
    await delay(backgroundMs);
    const after = await this.#look();
    this.#backgroundUsPerMs = (after.cpuUs - before.cpuUs) / (after.atMs - before.atMs);
  }

  async #look(): Promise<Look> {
    let cpuUs = 0;
    const turns = new Map<number, number>();
    for (const port of this.#options.admins) {
      const text = await fetch(`http://127.0.0.1:${port}/metrics`).then(
        (answer) => answer.text(),
        () => '',
      );
      const reading = readingOf(text);
      cpuUs += (reading.sums.get('turn_seconds_sum') ?? 0) * 1e6;
      for (const [bound, count] of reading.turns) turns.set(bound, (turns.get(bound) ?? 0) + count);
    }
    return { atMs: performance.now(), cpuUs, turns, memoryBytes: this.#memoryBytes() };
  }

  #memoryBytes(): number {
    let bytes = 0;
    for (const pid of this.#options.pids) {
      try {
        bytes += Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * pageBytes;
      } catch {
        // It has ended, which others tell.
      }
    }
    return bytes;
  }
}

interface Look {
  readonly atMs: number;
  readonly cpuUs: number;
  readonly turns: ReadonlyMap<number, number>;
  readonly memoryBytes: number;
}

/** The bound below which all turns in between stayed. */
function longestTurn(before: ReadonlyMap<number, number>, after: ReadonlyMap<number, number>): number {
  const all = (after.get(Infinity) ?? 0) - (before.get(Infinity) ?? 0);
  for (const bound of [...after.keys()].sort((a, b) => a - b)) {
    if ((after.get(bound) ?? 0) - (before.get(bound) ?? 0) >= all) return Math.min(bound, 10);
  }
  return 0;
}

const attacker = new Attacker(JSON.parse(process.argv[2] ?? '{}') as AttackerOptions);
process.on('message', (wish: Wish) => {
  if (wish === 'search') void attacker.search();
  else if (wish === 'siege') void attacker.siege();
  else if (wish === 'hold') attacker.hold(true);
  else if (wish === 'go on') attacker.hold(false);
  else process.send?.(attacker.told, () => process.exit());
});
process.on('disconnect', () => process.exit());
