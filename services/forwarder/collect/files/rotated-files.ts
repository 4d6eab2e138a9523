// Files under a name that rotation gives, and that are known by nothing else: copies, compressed files, and files that
// came and went while nobody read. Their content tells which generation they have; what of it was not read is read. And
// generations whose file is gone: what no copy has of them is lost, and counted.
//
// Guarantees: a file is examined only when it is not written any more; one whose content fits several generations is
// taken for the one of which least is read, so that in doubt a line comes twice, and none is missing.

import type { Clock } from '#shared/clock.ts';
import { reasonOf } from '#shared/errors.ts';
import { compressionOf, withoutCompression } from '../../decode/files/source-path.ts';
import { AbsentFiles } from './absent-files.ts';
import { WholeFile } from './whole-file.ts';
import type { Checkpoints } from '../checkpoints/checkpoints.ts';
import { birthOf, isOtherFile, statOf } from './file-identity.ts';
import { likeliestUnread } from './file-bytes.ts';
import { beginsWithContent, contentOf, type FileContent, generationOfGzip } from './file-content.ts';
import type { FoundFile } from './found-files.ts';
import type { FollowedFile } from './followed-file.ts';
import type { FollowOptions } from '../sources/follow-options.ts';
import { type Generation, type Source, unreadBytesOf } from '../checkpoints/generations.ts';
import { Settling } from '../walk/settling.ts';
import type { ReadingTurns } from '../turns/reading-turns.ts';
import type { FileTelemetry } from './telemetry.ts';

/** Compressed files that are read at once. */
const COMPRESSED_MAX = 32;

export interface RotatedFilesOptions {
  readonly clock: Clock;
  readonly checkpoints: Checkpoints;
  readonly telemetry: FileTelemetry;
  readonly turns: ReadingTurns;
  readonly follow: (found: FoundFile, generation: Generation) => Promise<void>;
  readonly addGeneration: (found: FoundFile) => Generation;
  readonly factsOf: (found: FoundFile) => FollowOptions<FollowedFile>;
  readonly signal: AbortSignal;
  /** Something is decided. */
  readonly walkSoon: () => void;
  /** Whether the file with this identity is one that is written: its name is not one of rotation. */
  readonly isLive: (identity: string) => boolean;
}

export class RotatedFiles {
  readonly #options: RotatedFilesOptions;
  readonly #settling: Settling;
  /** Copies of what is still followed, by identity: how many losses their source had then. */
  readonly #copies = new Map<string, number>();
  readonly #compressed = new Map<string, WholeFile>();
  /** Files whose content is being read, or will be, by identity: their sources. */
  readonly #examining = new Map<string, string>();
  #examined: Promise<void> = Promise.resolve();
  /** Generations whose file is gone, and that are not read to the end: how many walks there were by then. */
  readonly #incomplete = new Map<Generation, number>();
  readonly #absent: AbsentFiles;
  #walks = 0;

  constructor(options: RotatedFilesOptions) {
    this.#options = options;
    this.#settling = new Settling(options.clock);
    this.#absent = new AbsentFiles(options.checkpoints.generations);
    for (const { generations } of options.checkpoints.generations.sources) {
      for (const one of generations) if (one.identity === '' && unreadBytesOf(one) > 0) this.#incomplete.set(one, 0);
    }
  }

  /** A walk did not come upon the generation's file. */
  missed(generation: Generation): void {
    this.#absent.missed(generation, this.#options.clock.monotonicMs());
    this.lost(generation);
  }

  /** The generation of a file that was missed, and is there again. */
  back(identity: string): Generation | null {
    return this.#absent.back(identity, this.#options.clock.monotonicMs());
  }

  /** The generation's file is gone, or has other content. */
  lost(generation: Generation): void {
    this.#options.checkpoints.generations.detach(generation, this.#options.clock.epochMs());
    if (unreadBytesOf(generation) > 0) this.#incomplete.set(generation, this.#walks);
  }

  /** A walk over all files begins. */
  beginWalk(): void {
    this.#walks += 1;
  }

  /** It found these. */
  walked(found: readonly FoundFile[]): void {
    this.#settling.newestMs = found.reduce((newest, { writtenMs }) => Math.max(newest, writtenMs), 0);
  }

  /** At its end: what was gone before it began, and is in none of the files, is lost. */
  countLosses(): void {
    const { telemetry, checkpoints } = this.#options;
    const undecided = new Set(this.#settling.sources());
    for (const source of this.#examining.values()) undecided.add(source);
    for (const [generation, walks] of this.#incomplete) {
      const { source, identity } = generation;
      if (walks === this.#walks || undecided.has(source.path)) continue;
      this.#incomplete.delete(generation);
      const bytes = unreadBytesOf(generation);
      if (identity !== '' || bytes === 0) continue;
      telemetry.lost(source.path, bytes);
      generation.size = Math.max(generation.place.offset, generation.unfinishedEnd);
      checkpoints.generations.changed(generation);
    }
  }

  /**
   * Sources that nothing is known of, and of which a rotated file may still be written: their generations begin when
   * all of it is there, so that whoever reads it later numbers them in the same way.
   */
  undecided(unknown: readonly FoundFile[], isFirstWalk: boolean): Set<string> {
    const sources = unknown
      .filter(({ rule, isAsked }) => rule.from !== 'end' && (isAsked || !isFirstWalk))
      .filter(
        ({ base, path }) =>
          base !== path && (this.#options.checkpoints.generations.sourceOf(base)?.generations.length ?? 0) === 0,
      )
      .filter((file) => !this.#settling.isSettled(file, isFirstWalk));
    return new Set(sources.map(({ base }) => base));
  }

  /** Decides at once what needs no reading; the rest is decided later, one after another. */
  async examine(found: FoundFile, isFirstWalk: boolean): Promise<void> {
    const { identity, base, size } = found;
    if (this.#compressed.has(identity) || this.#examining.has(identity)) return;
    const { checkpoints, addGeneration } = this.#options;
    const source = checkpoints.generations.sourceOf(base);
    if (this.#copies.get(identity) === (source?.losses ?? 0)) return;
    if (!this.#settling.isSettled(found, isFirstWalk)) return;
    const own = checkpoints.generations.ofIdentity(identity);
    if (own !== null) return this.#read(found, own);
    const isUnwanted = isFirstWalk && source === null && (found.rule.from === 'end' || !found.isAsked);
    if (isUnwanted || size === 0 || this.#isOlder(found, source)) return this.#isRead(found);
    const isFirst = source === null || source.generations.every((one) => one.place.offset + one.size === 0);
    if (isFirst) return this.#read(found, addGeneration(found));
    this.#examining.set(identity, base);
    this.#examined = this.#examined.then(() => this.#examineContent(found, source));
  }

  async #examineContent(found: FoundFile, source: Source): Promise<void> {
    const { identity, path } = found;
    try {
      if (!this.#options.signal.aborted) await this.#decide(found, source);
    } catch (error) {
      if (!isOtherFile(error)) this.#options.telemetry.readFailed(path, reasonOf(error));
    }
    this.#examining.delete(identity);
    this.#options.walkSoon();
  }

  async #decide(found: FoundFile, source: Source): Promise<void> {
    const { path, identity, rule } = found;
    const root = rule.form?.root ?? null;
    const { checkpoints, telemetry, signal } = this.#options;
    const compression = compressionOf(path);
    const { generations } = source;
    if (compression === 'gzip' && (await generationOfGzip(path, { identity, root, generations })) !== null)
      return this.#isRead(found);
    const content = await contentOf(path, { identity, root, compression, generations, signal });
    if (signal.aborted) return;
    const mayGrow = !content.isWhole || (await this.#isPartOfCopy(found, content, generations));
    if (mayGrow && this.#settling.mayGrow(found)) return;
    if (!content.isWhole) telemetry.readFailed(path, 'it is damaged, or not whole');
    if (!content.isWhole && (await this.#isCut(found, content))) return this.#isRead(found);
    // Whoever copies a log file to rotate it copies the one that is written; and a copy is born after it.
    const isOriginal = ({ identity: other }: Generation): boolean =>
      this.#options.isLive(other) && birthOf(other) <= birthOf(identity);
    const followed = content.beginsWith.filter(isOriginal);
    const left = content.beginsWith.filter((one) => one.identity === '');
    const unread = left.filter(({ place, unfinishedEnd }) => Math.max(place.offset, unfinishedEnd) < content.size);
    const least = unread.toSorted((a, b) => a.place.offset - b.place.offset)[0];
    if (least !== undefined) return this.#goOn(found, least, content.size);
    const complete = left[0];
    if (complete !== undefined) {
      checkpoints.generations.attach(complete, identity);
      complete.writtenMs = 0;
      return this.#isRead(found);
    }
    if (followed.length > 0 || (compression !== null && content.beginsWith.length > 0)) {
      this.#copies.set(identity, source.losses);
      telemetry.found('copy of a file that is there', path, { size: content.size });
    } else {
      const unread = this.#unreadLike(source, content);
      await (unread === null
        ? this.#read(found, this.#options.addGeneration(found))
        : this.#goOn(found, unread, content.size));
    }
  }

  /** Whether it is like nothing that is known, but for the beginning of a file that is written: a copy under way. */
  async #isPartOfCopy({ rule }: FoundFile, content: FileContent, generations: readonly Generation[]): Promise<boolean> {
    if (content.beginsWith.length > 0) return false;
    const { isLive, signal } = this.#options;
    for (const { identity, place, source } of generations) {
      if (place.offset <= content.size || !isLive(identity)) continue;
      const file = { identity, root: rule.form?.root ?? null, signal };
      // Where it has another content by now, or is gone, it is no longer the one that is copied.
      if (await beginsWithContent(source.path, content, file).catch(() => false)) return true;
    }
    return false;
  }

  /** Whether it is what a crash left of compressing the file beside it, of which as much is read. */
  async #isCut({ path, rule }: FoundFile, content: FileContent): Promise<boolean> {
    const plain = withoutCompression(path);
    const identity = (await statOf(plain))?.identity ?? '';
    const known = this.#options.checkpoints.generations.ofIdentity(identity);
    if (plain === path || known === null || known.place.offset < content.size) return false;
    const file = { identity, root: rule.form?.root ?? null, signal: this.#options.signal };
    return beginsWithContent(plain, content, file).catch(() => false);
  }

  /**
   * A generation that is gone, and of which nothing is known to be read: only its beginning is known. If lines of
   * it were given all the same, just before a kill, the file has them again under their names.
   */
  #unreadLike({ generations }: Source, { size, head }: FileContent): Generation | null {
    const unread = generations.filter((one) => one.identity === '' && one.place.offset === 0);
    return likeliestUnread(unread, { size, head });
  }

  #goOn(found: FoundFile, generation: Generation, size: number): Promise<void> {
    const { generations } = this.#options.checkpoints;
    const { number, place } = generation;
    this.#options.telemetry.found('copy', found.path, { generation: number, offset: place.offset, size });
    generations.attach(generation, found.identity);
    if (generation.size > size) this.#options.telemetry.lost(generation.source.path, generation.size - size);
    // The copy has a size and times of its own.
    generation.writtenMs = 0;
    generation.size = size;
    generations.changed(generation);
    return this.#read(found, generation);
  }

  async #read(found: FoundFile, generation: Generation): Promise<void> {
    const { path, identity } = found;
    const { checkpoints, turns, telemetry, factsOf, follow, walkSoon } = this.#options;
    const compression = compressionOf(path);
    if (compression === null) return follow(found, generation);
    if (!(await checkpoints.save())) return;
    const file = new WholeFile(path, compression, generation, {
      ...factsOf(found),
      identity,
      ended: (_file, error) => {
        this.#compressed.delete(identity);
        if (isOtherFile(error)) return walkSoon();
        if (error !== null) telemetry.readFailed(path, reasonOf(error));
        generation.size = Math.max(generation.place.offset, generation.unfinishedEnd);
        this.#isRead(found);
      },
    });
    this.#compressed.set(identity, file);
    turns.wake(file);
  }

  #isRead({ identity, size, path }: FoundFile): void {
    this.#options.telemetry.found('read', path, { size });
    this.#options.checkpoints.generations.examined(identity, size);
    this.#options.checkpoints.schedule();
  }

  /** Whether it was there before its source was read at all, and nobody asks for it. */
  #isOlder({ isAsked, writtenMs }: FoundFile, source: Source | null): boolean {
    return !isAsked && writtenMs < (source?.firstMs ?? 0);
  }

  /** Each that is read has a descriptor. */
  get hasRoom(): boolean {
    return this.#compressed.size < COMPRESSED_MAX;
  }

  /** Sources of which something is read, or is to be counted as lost: nobody may forget them. */
  *held(): IterableIterator<string> {
    yield* this.#examining.values();
    for (const { generation } of this.#compressed.values()) yield generation.source.path;
    for (const { source } of this.#incomplete.keys()) yield source.path;
  }

  /** Whether its content is being read. */
  isReading(identity: string): boolean {
    return this.#compressed.has(identity) || this.#examining.has(identity);
  }

  /** Files that are gone need not be waited for. */
  keep(present: ReadonlySet<string>): void {
    this.#settling.keep(present);
    for (const identity of this.#copies.keys()) if (!present.has(identity)) this.#copies.delete(identity);
  }

  async close(): Promise<void> {
    await this.#examined;
    await Promise.all([...this.#compressed.values()].map((file) => file.close()));
  }
}
