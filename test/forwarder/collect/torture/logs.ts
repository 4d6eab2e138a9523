// Log files, what is written to them, and what rotation does to them, at once or as slowly as on a busy disk. Remembers
// every line: each has to be held.

import * as fs from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';

const HEADER = Array.from({ length: 600 }, (_, n) => `header ${n} ${'='.repeat(100)}\n`).join('');

/** Of a copy that is made slowly. */
const PIECE_BYTES_MIN = 512;

export class Logs {
  readonly folder: string;
  /** How often each line was written. */
  readonly expected = new Map<string, number>();
  rotations = 0;
  readonly #random: (below: number) => number;
  #count = 0;
  /** By name: copies and compressed files that are being written, a piece at a time. */
  readonly #slow = new Map<string, Generator<void, void>>();

  constructor(folder: string, random: (below: number) => number) {
    this.folder = folder;
    this.#random = random;
    fs.mkdirSync(folder);
  }

  /** A number that no line has yet. */
  next(): number {
    return (this.#count += 1);
  }

  /** A copy, or a compressed file, of which the first piece is written now: see `goOn`. */
  beginSlowly(name: string, what: 'copy' | 'compress'): void {
    this.finish(name);
    const writing = what === 'copy' ? this.#copying(name) : this.#compressing(name);
    if (writing.next().done !== true) this.#slow.set(name, writing);
  }

  /** The next piece of one of those that are under way. */
  goOn(): void {
    const [name, writing] = [...this.#slow][this.#random(this.#slow.size)] ?? [];
    if (name !== undefined && writing?.next().done === true) this.#slow.delete(name);
  }

  /** What is under way is done, of the name or of all. */
  finish(name?: string): void {
    for (const [one, writing] of this.#slow) {
      if (name !== undefined && one !== name) continue;
      while (writing.next().done !== true);
      this.#slow.delete(one);
    }
  }

  /** Whether something is under way of which the file is a part. */
  isUnderWay(file: string): boolean {
    return this.#slow.has(file.replace(/(?<=\.log)\..*$/, ''));
  }

  rename(name: string): void {
    this.finish(name);
    const path = this.path(name);
    this.shift(name);
    fs.renameSync(path, `${path}.1`);
    this.create(name);
  }

  copyAndTruncate(name: string): void {
    this.finish(name);
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
    this.beginSlowly(name, 'compress');
    this.finish(name);
  }

  /** Lines that are written meanwhile are copied too: nothing is between the last piece and the truncation. */
  *#copying(name: string): Generator<void, void> {
    const path = this.path(name);
    this.shift(name);
    const from = fs.openSync(path, 'r');
    const to = fs.openSync(`${path}.1`, 'w');
    const piece = Buffer.alloc(Math.max(PIECE_BYTES_MIN, Math.ceil(fs.fstatSync(from).size / (1 + this.#random(4)))));
    for (let bytes = fs.readSync(from, piece); bytes > 0; bytes = fs.readSync(from, piece)) {
      fs.writeSync(to, piece, 0, bytes);
      if (bytes === piece.length) yield;
    }
    fs.truncateSync(path);
    fs.closeSync(from);
    fs.closeSync(to);
  }

  *#compressing(name: string): Generator<void, void> {
    const path = `${this.path(name)}.1`;
    if (!fs.existsSync(path)) return;
    this.rotations += 1;
    const { mtime } = fs.statSync(path);
    const content = fs.readFileSync(path);
    const [suffix, packed] = this.#random(2) === 0 ? ['gz', gzipSync(content)] : ['zst', zstdCompressSync(content)];
    const to = fs.openSync(`${path}.${suffix}`, 'w');
    const pieceBytes = Math.ceil(packed.length / (1 + this.#random(4)));
    for (let at = 0; at < packed.length; at += pieceBytes) {
      fs.writeSync(to, packed, at, Math.min(pieceBytes, packed.length - at));
      if (at + pieceBytes < packed.length) yield;
    }
    fs.closeSync(to);
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
