// Files that are written, rotated in every way, and read by a collector that is killed again and again. All is drawn
// from a seed. Whatever was written has to be held once, under one name; what was removed before it was held has to be
// counted, to the byte.
//
//   writers   lines of their own; lines in two writes; a header of 64 KiB in each new file; twins with equal content
//   rotation  rename, copy and truncate, gzip and zstd, removal (so that inodes are used again), while the collector
//             runs and while it does not; copies and compressed files that are written in pieces, with steps of all
//             others, kills and restarts between them
//   content   the same written anew; files that are empty; files of one byte
//   faults    kill -9; a clock that jumps by days; a full disk, also at the start; files that are removed unread

import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Collector } from '../files/collecting-process.ts';
import { Logs } from './logs.ts';
import { SmallDisk } from './small-disk.ts';

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
  /** What was told to be lost: by path, in bytes; and what was. */
  readonly lost: Readonly<Record<string, number>>;
  readonly removed: Readonly<Record<string, number>>;
  /** How often the disk was full, and the clock jumped. */
  readonly full: number;
  readonly jumps: number;
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
    const settleEach = Math.max(25, Math.floor(steps / 50));
    for (let step = 1; step <= steps; step += 1) {
      run.step();
      progress?.(step);
      if (step % killEach === 0) await run.killed();
      if (step % 60 === 31) run.fillDisk();
      if (step % 60 === 38) run.freeDisk();
      if (step % settleEach === 0) await run.settled();
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
  readonly #logs: Logs;
  readonly #writers: string[];
  readonly #disk: SmallDisk;
  readonly #removed: Record<string, number> = {};
  #full = 0;
  #jumps = 0;

  constructor(seed: number, writers: number) {
    this.random = randomOf(seed);
    this.#logs = new Logs(join(this.#folder, 'logs'), this.random);
    this.#disk = new SmallDisk(join(this.#folder, 'data'));
    this.collector = new Collector(this.#folder);
    this.#writers = Array.from({ length: writers }, (_, n) => `w${n}.log`);
    for (const name of [...this.#writers, 'twin-a.log', 'twin-b.log', 'empty.log']) this.#logs.create(name);
    for (const name of ['same-1.log', 'same-2.log', 'same-3.log']) this.#logs.append(name, SAME);
    this.#logs.append('one-byte.log', '\n');
  }

  /** One thing that a writer or a rotation does. */
  step(): void {
    const name = this.#writers[this.random(this.#writers.length)] ?? '';
    if (this.random(20) === 0) this.#jump();
    if (this.random(4) === 0) this.#logs.goOn();
    switch (this.random(14)) {
      case 0:
        return this.#logs.rename(name);
      case 1:
        return this.#logs.copyAndTruncate(name);
      case 2:
        return this.#logs.compress(name);
      case 12:
        return this.#logs.beginSlowly(name, 'copy');
      case 13:
        return this.#logs.beginSlowly(name, 'compress');
      case 3: {
        const text = `twins ${this.#logs.next()}\n`;
        this.#logs.append('twin-a.log', text);
        return this.#logs.append('twin-b.log', text);
      }
      case 4: {
        const text = `torn ${this.#logs.next()}\n`;
        fs.appendFileSync(this.#logs.path(name), text.slice(0, 4));
        fs.appendFileSync(this.#logs.path(name), text.slice(4));
        return this.#logs.expect(text);
      }
      default: {
        let text = '';
        for (let lines = 1 + this.random(60); lines > 0; lines -= 1) {
          text += `${name} ${this.#logs.next()} ${'x'.repeat(this.random(200))}\n`;
        }
        return this.#logs.append(name, text);
      }
    }
  }

  /** kill -9, and what happens to the files until the next start. */
  async killed(): Promise<void> {
    await this.collector.kill();
    for (let steps = this.random(8); steps > 0; steps -= 1) this.step();
    const started = this.collector.start();
    if (this.#disk.isFull) await Promise.race([started, delay(200)]);
    this.freeDisk();
    await started;
  }

  /** Of the collector's data. */
  fillDisk(): void {
    this.#disk.fill();
    if (this.#disk.isFull) this.#full += 1;
  }

  freeDisk(): void {
    this.#disk.free();
  }

  /** All is held; then what nobody reads any more is removed, and the same is written anew. */
  async settled(): Promise<void> {
    this.freeDisk();
    await this.#held();
    await this.#removeUnread(this.#writers[this.random(this.#writers.length)] ?? '');
    // What is held is in the checkpoints then too, so that nothing of it counts as lost.
    await this.collector.stop();
    await this.collector.start();
    for (const name of fs.readdirSync(this.#logs.folder)) {
      if (name.endsWith('.log') || this.#logs.isUnderWay(name)) continue;
      if (this.random(2) === 0) fs.unlinkSync(this.#logs.path(name));
    }
    const isDead = this.random(2) === 0;
    if (isDead) await this.collector.kill();
    for (const name of ['same-1.log', 'same-2.log', 'same-3.log']) {
      const path = this.#logs.path(name);
      const way = this.random(3);
      if (way === 0) fs.unlinkSync(path);
      if (way === 1) fs.renameSync(path, `${path}.${(this.#logs.rotations += 1) % 900}`);
      fs.writeFileSync(path, SAME);
      this.#logs.expect(SAME);
    }
    if (isDead) await this.collector.start();
    await this.#held();
  }

  async result(): Promise<TortureResult> {
    this.freeDisk();
    this.#logs.finish();
    await this.#held();
    // Whatever comes twice has come when what was written last has.
    for (const name of fs.readdirSync(this.#logs.folder)) {
      if (name.endsWith('.log')) this.#logs.append(name, `the end of ${name}\n`);
    }
    await this.#held();
    const { texts, repeats } = this.collector.held();
    const differences = (of: Map<string, number>, than: Map<string, number>): string[] =>
      [...of].filter(([text, count]) => count > (than.get(text) ?? 0)).map(([text]) => text.slice(0, 80));
    return {
      lines: [...this.#logs.expected.values()].reduce((sum, count) => sum + count, 0),
      rotations: this.#logs.rotations,
      kills: this.collector.kills,
      repeats,
      missing: differences(this.#logs.expected, texts),
      doubled: differences(texts, this.#logs.expected),
      lost: this.#lost(),
      removed: this.#removed,
      full: this.#full,
      jumps: this.#jumps,
    };
  }

  async end(): Promise<void> {
    await this.collector.kill();
    this.#disk[Symbol.dispose]();
    fs.rmSync(this.#folder, { recursive: true, force: true });
  }

  #jump(): void {
    this.#jumps += 1;
    this.collector.jump((this.random(2000) - 1000) * 300_000);
  }

  /** Lines that were seen, and nobody holds, before their file is gone. */
  async #removeUnread(name: string): Promise<void> {
    this.#logs.finish(name);
    const text = `removed ${this.#logs.next()} ${'x'.repeat(this.random(5000))}\n`;
    this.collector.say('refuse');
    fs.appendFileSync(this.#logs.path(name), text);
    while ((await this.collector.unreadBytes()) < text.length) await delay(5);
    await this.collector.stop();
    fs.unlinkSync(this.#logs.path(name));
    this.#removed[name] = (this.#removed[name] ?? 0) + text.length;
    await this.collector.start();
    while ((this.#lost()[name] ?? 0) < (this.#removed[name] ?? 0)) await delay(5);
    this.#logs.create(name);
  }

  /** What the collector said is lost: bytes, by name. */
  #lost(): Record<string, number> {
    const lost: Record<string, number> = {};
    for (const line of this.collector.told.filter((one) => one.includes('file_content_lost'))) {
      const { path, bytes } = JSON.parse(line) as { path: string; bytes: number };
      lost[basename(path)] = (lost[basename(path)] ?? 0) + bytes;
    }
    return lost;
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
        missing = [...this.#logs.expected].filter(([text, wanted]) => wanted > (texts.get(text) ?? 0));
      }
      if (missing.length === 0) return;
      last = count;
      await delay(10);
    }
    const shown = missing.slice(0, 10).map(([text]) => text.slice(0, 60));
    const what = `${missing.length} of ${this.#logs.expected.size} lines are missing, such as ${JSON.stringify(shown)}`;
    throw new Error(`${what}; ${this.collector.told.join('')}`);
  }
}
