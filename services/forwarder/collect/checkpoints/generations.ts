// What is known of each source: its generations, which are the files that had its name one after another, and how far
// each is read. A line's name is made of its source, the generation, and all that its file says before.
//
// Sources whose files are gone are forgotten in the end (forgetting.ts).
//
// Guarantees: a number of a generation is given once, and saved before `save` resolves; numbers of a source begin at 0,
// so that whoever reads the same files without checkpoints, oldest first, gives the same ones. Once sources were
// forgotten, those that are new begin above every number that one of them had: nobody knows any more which of them had
// the same path, so in doubt a line comes twice, and none is taken for another.

import assert from 'node:assert/strict';
import { chainStart } from '#shared/record/chain.ts';
import { pagesOf, taken } from './change-pages.ts';
import type { CheckpointRows, GenerationRow, SourceRow } from './checkpoint-rows.ts';
import type { CheckpointChanges } from './checkpoint-thread.ts';
import { type ForgetOptions, forgettable, surplusOf } from './forgetting.ts';
import type { LinePlace } from '../../decode/files/file-entries.ts';

export interface Source {
  readonly path: string;
  nextGeneration: number;
  /** When it was first seen, ms since the epoch; 0: nobody knows. */
  firstMs: number;
  /** What is said of it beside its path, from its first line on, or from when somebody first knew. */
  facts: string;
  /** Since when it has no file, ms since the epoch; 0 while it has one. */
  goneMs: number;
  /** The oldest first. */
  readonly generations: Generation[];
  /** Grows whenever a file of a generation is gone: a copy of it may have what is not read. */
  losses: number;
  /** By a monotonic clock of this process: when the same bytes were last given again, for they may be new. */
  doubledMs: number;
}

export interface Generation {
  readonly source: Source;
  readonly number: number;
  identity: string;
  place: LinePlace;
  tail: string;
  head: string;
  size: number;
  unfinishedEnd: number;
  writtenMs: number;
  /** Lines before it are not wanted; negative: lines before its opposite were passed over. */
  skipEnd: number;
}

/** Where the reading of a generation begins. `salt`: of the machine. */
export function placeAtStart({ source, number }: Pick<Generation, 'source' | 'number'>, salt: string): LinePlace {
  return { offset: 0, chain: chainStart(`${salt}:${source.path}`, String(number)), crc32: 0 };
}

/** What nobody has read of a generation, as far as it was seen. */
export function unreadBytesOf({ size, place, unfinishedEnd }: Generation): number {
  return Math.max(0, size - Math.max(place.offset, unfinishedEnd));
}

/** Copies of older ones are not known for what they are: so many rotations later nobody keeps them. */
const GENERATIONS_MAX = 64;
const NOTHING_YET = { losses: 0, doubledMs: Number.NEGATIVE_INFINITY };

export class Generations {
  readonly #sources = new Map<string, Source>();
  readonly #byIdentity = new Map<string, Generation>();
  readonly #examined = new Map<string, number>();
  readonly #changedSources = new Set<Source>();
  readonly #changed = new Set<Generation>();
  readonly #removed: Pick<GenerationRow, 'source' | 'number'>[] = [];
  readonly #changedExamined = new Set<string>();
  readonly #forgotten = new Set<string>();
  #firstNumber: number;

  /** `firstNumber`: of the next generation of a source that is new. */
  constructor(firstNumber: number) {
    this.#firstNumber = firstNumber;
  }

  /** What was saved: some sources with all of their generations. Those that have no file are gone now at the latest. */
  restore({ sources, generations, examined }: CheckpointRows, nowMs: number): void {
    for (const row of sources) this.#sources.set(row.path, { ...row, generations: [], ...NOTHING_YET });
    for (const { source: path, offset, chain, crc32, open, ...known } of generations.toSorted(
      (a, b) => a.number - b.number,
    )) {
      const source = this.#sources.get(path);
      if (source === undefined) continue;
      const generation = { ...known, source, place: { offset, chain, crc32, open } };
      source.generations.push(generation);
      if (known.identity !== '') this.#byIdentity.set(known.identity, generation);
    }
    for (const source of sources.flatMap(({ path }) => this.#sources.get(path) ?? [])) {
      if (source.goneMs === 0 && isGone(source)) source.goneMs = nowMs;
      this.#correct(source, nowMs);
    }
    for (const { identity, size } of examined) this.#examined.set(identity, size);
  }

  /** How many sources are known. */
  get count(): number {
    return this.#sources.size;
  }

  get sources(): IterableIterator<Source> {
    return this.#sources.values();
  }

  /** Paths of the sources that have a file. */
  *present(): IterableIterator<string> {
    for (const source of this.#sources.values()) if (source.goneMs === 0) yield source.path;
  }

  sourceOf(path: string): Source | null {
    return this.#sources.get(path) ?? null;
  }

  /** The source of this path, which is made if it is new. */
  addSource(path: string, nowMs: number, facts = ''): Source {
    let source = this.#sources.get(path);
    if (source === undefined) {
      const nextGeneration = this.#firstNumber;
      source = { path, nextGeneration, firstMs: nowMs, facts, goneMs: nowMs, generations: [], ...NOTHING_YET };
      this.#sources.set(path, source);
      this.#changedSources.add(source);
    }
    return source;
  }

  /** Of a source that nothing is said of: it was followed without a form, or imported. Its next lines have it. */
  giveFacts(path: string, facts: string): void {
    const source = this.#sources.get(path);
    if (source === undefined || source.facts !== '' || facts === '') return;
    source.facts = facts;
    this.#changedSources.add(source);
  }

  /** What the file with this identity has. */
  ofIdentity(identity: string): Generation | null {
    return this.#byIdentity.get(identity) ?? null;
  }

  /** The next generation of the source, of which nothing is read. `salt`: of the machine. */
  add(source: Source, identity: string, salt: string): Generation {
    assert(this.#sources.get(source.path) === source, 'a source that was forgotten gives no numbers');
    const number = source.nextGeneration;
    source.nextGeneration += 1;
    const place = placeAtStart({ source, number }, salt);
    const seen = { size: 0, unfinishedEnd: 0, writtenMs: 0, skipEnd: 0 };
    const generation = { source, number, identity: '', place, tail: '', head: '', ...seen };
    source.generations.push(generation);
    this.#changedSources.add(source);
    this.attach(generation, identity);
    this.#trim(source);
    return generation;
  }

  attach(generation: Generation, identity: string): void {
    if (generation.identity !== '') this.#byIdentity.delete(generation.identity);
    generation.identity = identity;
    this.#byIdentity.set(identity, generation);
    this.#setGone(generation.source, 0);
    this.changed(generation);
  }

  /** Its file is gone, or has something else. */
  detach(generation: Generation, nowMs: number): void {
    if (this.#byIdentity.get(generation.identity) === generation) this.#byIdentity.delete(generation.identity);
    generation.identity = '';
    generation.source.losses += 1;
    if (isGone(generation.source)) this.#setGone(generation.source, nowMs);
    this.changed(generation);
  }

  changed(generation: Generation): void {
    if (this.#sources.get(generation.source.path) === generation.source) this.#changed.add(generation);
  }

  /** Forgets some of the sources that are gone for long, or are too many. Returns how many. */
  forget(options: ForgetOptions): number {
    for (const source of this.#sources.values()) this.#correct(source, options.nowMs);
    const { sources, shortened } = forgettable(this.#sources.values(), options);
    for (const source of sources) this.#forget(source);
    for (const source of shortened) for (const generation of surplusOf(source)) this.#remove(generation);
    return sources.length;
  }

  /** Whether the file was seen to hold nothing that is not read, and has the same size now. */
  isExamined(identity: string, size: number): boolean {
    return this.#examined.get(identity) === size;
  }

  examined(identity: string, size: number): void {
    if (this.#examined.get(identity) === size) return;
    this.#examined.set(identity, size);
    this.#changedExamined.add(identity);
  }

  /** Files that are not there any more need not be remembered. */
  keepExamined(present: ReadonlySet<string>): void {
    for (const identity of this.#examined.keys()) {
      if (present.has(identity)) continue;
      this.#examined.delete(identity);
      this.#changedExamined.add(identity);
    }
  }

  get hasChanges(): boolean {
    const changed = this.#changedSources.size + this.#changed.size + this.#changedExamined.size;
    return changed + this.#removed.length + this.#forgotten.size > 0;
  }

  /**
   * What has changed since the last call, to be saved one after another, each as it is when it is asked for. A source
   * comes before its generations, so that no number is given again by who finds a part of it.
   */
  *takeChanges(): Generator<CheckpointChanges, undefined> {
    const examined = taken(this.#changedExamined);
    const pages = pagesOf({
      forgotten: taken(this.#forgotten),
      sources: taken(this.#changedSources),
      generations: taken(this.#changed),
      examined: examined.filter((identity) => this.#examined.has(identity)),
      removedGenerations: this.#removed.splice(0),
      removedExamined: examined.filter((identity) => !this.#examined.has(identity)),
    });
    for (const page of pages) {
      const sizes = page.examined.map((identity) => ({ identity, size: this.#examined.get(identity) ?? 0 }));
      const rows = { sources: page.sources.map(sourceRow), generations: page.generations.map(rowOf), examined: sizes };
      yield { ...page, ...rows, firstNumber: this.#firstNumber };
    }
  }

  /** After a save that failed. */
  putBack(changes: CheckpointChanges): void {
    const { forgotten, sources, generations, examined, removedGenerations, removedExamined } = changes;
    for (const path of forgotten) this.#forgotten.add(path);
    for (const { path } of sources) {
      const source = this.#sources.get(path);
      if (source) this.#changedSources.add(source);
    }
    for (const { source, number } of generations) {
      const generation = this.#sources.get(source)?.generations.find((one) => one.number === number);
      if (generation) this.#changed.add(generation);
    }
    for (const { identity } of examined) this.#changedExamined.add(identity);
    for (const identity of removedExamined) this.#changedExamined.add(identity);
    this.#removed.push(...removedGenerations);
  }

  #trim(source: Source): void {
    const tooMany = source.generations.length - GENERATIONS_MAX;
    if (tooMany <= 0) return;
    const gone = source.generations.filter(({ identity }) => identity === '').slice(0, tooMany);
    for (const generation of gone) this.#remove(generation);
  }

  #remove(generation: Generation): void {
    const { source, number } = generation;
    source.generations.splice(source.generations.indexOf(generation), 1);
    this.#changed.delete(generation);
    this.#removed.push({ source: source.path, number });
  }

  #forget(source: Source): void {
    const { path, generations, nextGeneration } = source;
    this.#sources.delete(path);
    this.#changedSources.delete(source);
    for (const generation of generations) {
      this.#changed.delete(generation);
      if (this.#byIdentity.get(generation.identity) === generation) this.#byIdentity.delete(generation.identity);
    }
    this.#firstNumber = Math.max(this.#firstNumber, nextGeneration);
    this.#forgotten.add(path);
  }

  /** Times of a clock that was ahead say nothing: no file is older than such a source. */
  #correct(source: Source, nowMs: number): void {
    if (source.firstMs > nowMs || source.goneMs > nowMs) this.#changedSources.add(source);
    if (source.firstMs > nowMs) source.firstMs = 0;
    source.goneMs = Math.min(source.goneMs, nowMs);
  }

  #setGone(source: Source, goneMs: number): void {
    if (source.goneMs === goneMs) return;
    source.goneMs = goneMs;
    if (this.#sources.get(source.path) === source) this.#changedSources.add(source);
  }
}

function isGone({ generations }: Source): boolean {
  return generations.every(({ identity }) => identity === '');
}

function sourceRow({ path, nextGeneration, firstMs, facts, goneMs }: Source): SourceRow {
  return { path, nextGeneration, firstMs, facts, goneMs };
}

function rowOf({ source, place, ...known }: Generation): GenerationRow {
  return { ...known, open: '', ...place, source: source.path };
}
