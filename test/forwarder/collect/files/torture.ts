// Files that are written, rotated in every way, and read by a collector that is killed again and again. All is drawn
// from a seed. Whatever was written has to be held once, under one name: nothing is removed here that is not read.
//
//   writers   lines of their own; lines in two writes; a header of 64 KiB in each new file; twins with equal content
//   rotation  rename, copy and truncate, gzip and zstd, removal (so that inodes are used again), while the collector
//             runs and while it does not
//   content   the same written anew; files that are empty; files of one byte

import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { Collector } from './collecting-process.ts';

const HEADER = Array.from({ length: 600 }, (_, n) => `header ${n} ${'='.repeat(100)}\n`).join('');
const SAME = 'the same\n'.repeat(5);

export interface TortureOptions {
  readonly seed: number;
  readonly writers: number;
  readonly steps: number;
  readonly kills: number;
  /** Told after each step. */
  readonly progress?: (step: number) => void;
}

export interface TortureResult {
  readonly lines: number;
  readonly rotations: number;
  readonly kills: number;
  /** Lines that came again under their names. */
  readonly repeats: number;
  readonly missing: readonly string[];
  readonly doubled: readonly string[];
  readonly lost: readonly string[];
}

/** mulberry32 */
export function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

export async function torture({ seed, writers, steps, kills, progress }: TortureOptions): Promise<TortureResult> {
  const run = new Torture(seed, writers);
  try {
    await run.collector.start();
    const killEach = Math.max(1, Math.floor(steps / (kills + 1)));
    for (let step = 1; step <= steps; step += 1) {
      run.step();
      progress?.(step);
      if (step % killEach === 0) await run.killed();
      if (step % 25 === 0) await run.settled();
      if (step % 5 === 0) await delay(run.random(30));
    }
    return await run.result();
  } finally {
    await run.end();
  }
}

class Torture {
  readonly random: (below: number) => number;
  readonly collector: Collector;
  readonly #folder = fs.mkdtempSync(join(tmpdir(), 'sluice-torture-'));
  readonly #expected = new Map<string, number>();
  readonly #writers: string[];
  #count = 0;
  #rotations = 0;

  constructor(seed: number, writers: number) {
    this.random = randomOf(seed);
    fs.mkdirSync(join(this.#folder, 'logs'));
    this.collector = new Collector(this.#folder);
    this.#writers = Array.from({ length: writers }, (_, n) => `w${n}.log`);
    for (const name of [...this.#writers, 'twin-a.log', 'twin-b.log', 'empty.log']) this.#create(name);
    for (const name of ['same-1.log', 'same-2.log', 'same-3.log']) this.#append(name, SAME);
    this.#append('one-byte.log', '\n');
  }

  /** One thing that a writer or a rotation does. */
  step(): void {
    const name = this.#writers[this.random(this.#writers.length)] ?? '';
    switch (this.random(12)) {
      case 0:
        return this.#rename(name);
      case 1:
        return this.#copyAndTruncate(name);
      case 2:
        return this.#compress(name);
      case 3: {
        const text = `twins ${(this.#count += 1)}\n`;
        this.#append('twin-a.log', text);
        return this.#append('twin-b.log', text);
      }
      case 4: {
        const text = `torn ${(this.#count += 1)}\n`;
        fs.appendFileSync(this.#path(name), text.slice(0, 4));
        fs.appendFileSync(this.#path(name), text.slice(4));
        return this.#expect(text);
      }
      default: {
        let text = '';
        for (let lines = 1 + this.random(60); lines > 0; lines -= 1) {
          text += `${name} ${(this.#count += 1)} ${'x'.repeat(this.random(200))}\n`;
        }
        return this.#append(name, text);
      }
    }
  }

  /** kill -9, and what happens to the files until the next start. */
  async killed(): Promise<void> {
    await this.collector.kill();
    for (let steps = this.random(8); steps > 0; steps -= 1) this.step();
    await this.collector.start();
  }

  /** All is held; then what nobody reads any more is removed, and the same is written anew. */
  async settled(): Promise<void> {
    await this.#held();
    // What is held is in the checkpoints then too, so that nothing of it counts as lost.
    await this.collector.stop();
    await this.collector.start();
    for (const name of fs.readdirSync(join(this.#folder, 'logs'))) {
      if (!name.endsWith('.log') && this.random(2) === 0) fs.unlinkSync(this.#path(name));
    }
    const isDead = this.random(2) === 0;
    if (isDead) await this.collector.kill();
    for (const name of ['same-1.log', 'same-2.log', 'same-3.log']) {
      const path = this.#path(name);
      const way = this.random(3);
      if (way === 0) fs.unlinkSync(path);
      if (way === 1) fs.renameSync(path, `${path}.${(this.#rotations += 1) % 900}`);
      fs.writeFileSync(path, SAME);
      this.#expect(SAME);
    }
    if (isDead) await this.collector.start();
    await this.#held();
  }

  async result(): Promise<TortureResult> {
    await this.#held();
    // Whatever comes twice has come when what was written last has.
    for (const name of fs.readdirSync(join(this.#folder, 'logs'))) {
      if (name.endsWith('.log')) this.#append(name, `the end of ${name}\n`);
    }
    await this.#held();
    const { texts, repeats } = this.collector.held();
    const differences = (of: Map<string, number>, than: Map<string, number>): string[] =>
      [...of].filter(([text, count]) => count > (than.get(text) ?? 0)).map(([text]) => text.slice(0, 80));
    return {
      lines: [...this.#expected.values()].reduce((sum, count) => sum + count, 0),
      rotations: this.#rotations,
      kills: this.collector.kills,
      repeats,
      missing: differences(this.#expected, texts),
      doubled: differences(texts, this.#expected),
      lost: this.collector.told.filter((line) => line.includes('file_content_lost')),
    };
  }

  async end(): Promise<void> {
    await this.collector.kill();
    fs.rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Waits until all lines that were written are held; says what is missing if nothing comes for long. */
  async #held(): Promise<void> {
    let last = -1;
    let missing: [text: string, count: number][] = [];
    for (let idle = 0; idle < 3000; idle += 1) {
      const { count, texts } = this.collector.held();
      if (count !== last) {
        idle = 0;
        // By their texts: a line that came twice takes no other's place.
        missing = [...this.#expected].filter(([text, wanted]) => wanted > (texts.get(text) ?? 0));
      }
      if (missing.length === 0) return;
      last = count;
      await delay(10);
    }
    const shown = missing.slice(0, 10).map(([text]) => text.slice(0, 60));
    const what = `${missing.length} of ${this.#expected.size} lines are missing, such as ${JSON.stringify(shown)}`;
    throw new Error(`${what}; ${this.collector.told.join('')}`);
  }

  #rename(name: string): void {
    const path = this.#path(name);
    this.#shift(name);
    fs.renameSync(path, `${path}.1`);
    this.#create(name);
  }

  #copyAndTruncate(name: string): void {
    const path = this.#path(name);
    this.#shift(name);
    fs.copyFileSync(path, `${path}.1`);
    fs.truncateSync(path);
  }

  /** As logrotate does: the largest number first. */
  #shift(name: string): void {
    this.#rotations += 1;
    const rotated = fs
      .readdirSync(join(this.#folder, 'logs'))
      .filter((one) => one.startsWith(`${name}.`))
      .map((one) => ({
        one,
        number: Number(one.slice(name.length + 1).split('.')[0]),
        end: one.replace(/^.*?\.log\.\d+/, ''),
      }))
      .toSorted((a, b) => b.number - a.number);
    for (const { one, number, end } of rotated) {
      fs.renameSync(this.#path(one), this.#path(`${name}.${number + 1}${end}`));
    }
  }

  #compress(name: string): void {
    const path = this.#path(`${name}.1`);
    if (!fs.existsSync(path)) return;
    this.#rotations += 1;
    const { mtime } = fs.statSync(path);
    const content = fs.readFileSync(path);
    const [suffix, packed] = this.random(2) === 0 ? ['gz', gzipSync(content)] : ['zst', zstdCompressSync(content)];
    fs.writeFileSync(`${path}.${suffix}`, packed);
    fs.utimesSync(`${path}.${suffix}`, mtime, mtime);
    fs.unlinkSync(path);
  }

  #create(name: string): void {
    fs.writeFileSync(this.#path(name), '');
    // A file that nobody has seen and that says what another said is taken for a copy of it.
    if (name.endsWith('0.log')) this.#append(name, `${HEADER}${name} ${(this.#count += 1)}\n`);
  }

  #append(name: string, text: string): void {
    fs.appendFileSync(this.#path(name), text);
    this.#expect(text);
  }

  #expect(text: string): void {
    for (const line of text.slice(0, -1).split('\n')) this.#expected.set(line, (this.#expected.get(line) ?? 0) + 1);
  }

  #path(name: string): string {
    return join(this.#folder, 'logs', basename(name));
  }
}
