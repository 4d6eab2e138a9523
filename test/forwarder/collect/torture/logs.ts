// Log files, what is written to them, and what rotation does to them. Remembers every line: each has to be held.

import * as fs from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';

const HEADER = Array.from({ length: 600 }, (_, n) => `header ${n} ${'='.repeat(100)}\n`).join('');

export class Logs {
  readonly folder: string;
  /** How often each line was written. */
  readonly expected = new Map<string, number>();
  rotations = 0;
  readonly #random: (below: number) => number;
  #count = 0;

  constructor(folder: string, random: (below: number) => number) {
    this.folder = folder;
    this.#random = random;
    fs.mkdirSync(folder);
  }

  /** A number that no line has yet. */
  next(): number {
    return (this.#count += 1);
  }

  rename(name: string): void {
    const path = this.path(name);
    this.shift(name);
    fs.renameSync(path, `${path}.1`);
    this.create(name);
  }

  copyAndTruncate(name: string): void {
    const path = this.path(name);
    this.shift(name);
    fs.copyFileSync(path, `${path}.1`);
    fs.truncateSync(path);
  }

  /** As logrotate does: the largest number first. */
  shift(name: string): void {
    this.rotations += 1;
    const rotated = fs
      .readdirSync(this.folder)
      .filter((one) => one.startsWith(`${name}.`))
      .map((one) => ({
        one,
        number: Number(one.slice(name.length + 1).split('.')[0]),
        end: one.replace(/^.*?\.log\.\d+/, ''),
      }))
      .toSorted((a, b) => b.number - a.number);
    for (const { one, number, end } of rotated) {
      fs.renameSync(this.path(one), this.path(`${name}.${number + 1}${end}`));
    }
  }

  compress(name: string): void {
    const path = this.path(`${name}.1`);
    if (!fs.existsSync(path)) return;
    this.rotations += 1;
    const { mtime } = fs.statSync(path);
    const content = fs.readFileSync(path);
    const [suffix, packed] = this.#random(2) === 0 ? ['gz', gzipSync(content)] : ['zst', zstdCompressSync(content)];
    fs.writeFileSync(`${path}.${suffix}`, packed);
    fs.utimesSync(`${path}.${suffix}`, mtime, mtime);
    fs.unlinkSync(path);
  }

  create(name: string): void {
    fs.writeFileSync(this.path(name), '');
    // A file that nobody has seen and that says what another said is taken for a copy of it.
    if (name.endsWith('0.log')) this.append(name, `${HEADER}${name} ${this.next()}\n`);
  }

  append(name: string, text: string): void {
    fs.appendFileSync(this.path(name), text);
    this.expect(text);
  }

  expect(text: string): void {
    for (const line of text.slice(0, -1).split('\n')) this.expected.set(line, (this.expected.get(line) ?? 0) + 1);
  }

  path(name: string): string {
    return join(this.folder, basename(name));
  }
}
