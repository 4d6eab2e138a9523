// Reads files once, to their ends, with the names and checkpoints of files that are collected: what was read before, by
// an import or as the file grew, is passed over, and a second reading adds nothing.
//
//   known by identity, with the same bytes before its place ─► read on from there
//   the content that a generation has in full, or the rest of one whose file is gone ─► that generation
//   followed just now ─► waited for
//   else ─► a new generation of its source
//
// In doubt a file is a new one, so that its lines come twice rather than not at all.

import type { Clock } from '#shared/clock.ts';
import { SluiceError, reasonOf } from '#shared/errors.ts';
import { Exclusive } from '#shared/exclusive.ts';
import { compressionOf, pathsBeforeRotation } from '../../decode/files/source-path.ts';
import type { Intake, Room } from '../../intake/chunk.ts';
import type { Checkpoints } from '../checkpoints/checkpoints.ts';
import { type Generation, placeAtStart } from '../checkpoints/generations.ts';
import { Delivery } from '../sources/delivery.ts';
import { areNuls } from '../files/file-bytes.ts';
import type { FileCollector } from '../files/file-collector.ts';
import { statOf } from '../files/file-identity.ts';
import { unpackedBytes } from '../files/file-content.ts';
import { type FoundFile, inOrder } from '../files/found-files.ts';
import { newSlot } from '../turns/reading-turns.ts';
import { factsOf } from '../sources/source-form.ts';
import { WholeFile } from '../files/whole-file.ts';
import { generationWith, isSameFile } from './known-content.ts';

export interface ImportRequest {
  /** Absolute. */
  readonly paths: readonly string[];
  /** Of all lines; undefined: of each file's path. */
  readonly tag?: string | undefined;
  readonly encoding?: string | undefined;
}

/** What became of a file, or has so far. */
export interface ImportedFile {
  readonly path: string;
  /** Of the file as it lies there: all of them, and those that are read. */
  readonly bytes: number;
  readonly bytesRead: number;
  /** Lines that were given to the queue, and that were there before; of long lines each part. */
  readonly lines: number;
  readonly knownLines: number;
  /** Why it is not read to its end; null if it is. */
  readonly refusal: string | null;
}

export interface ImportWatch {
  readonly signal: AbortSignal;
  /** Told now and then of all files of the request. */
  readonly progress: (files: readonly ImportedFile[]) => void;
}

export interface FileImportsOptions {
  readonly host: string;
  readonly intake: Intake;
  readonly room: Room;
  readonly clock: Clock;
  readonly collector: FileCollector;
  readonly checkpoints: Checkpoints;
  readonly signal: AbortSignal;
}

const LINE_FEED = 0x0a;
const POLL_MS = 50;
const SAVE_RETRY_MS = 500;

/** As it changes. */
type Counted = { -readonly [K in keyof ImportedFile]: ImportedFile[K] };

export class FileImports {
  readonly #options: FileImportsOptions;
  readonly #requests = new Exclusive();

  constructor(options: FileImportsOptions) {
    this.#options = options;
  }

  /** One request after another. Rejects where it was aborted. */
  run(request: ImportRequest, watch: ImportWatch): Promise<readonly ImportedFile[]> {
    const signal = AbortSignal.any([watch.signal, this.#options.signal]);
    return this.#requests.run(() => this.#import(request, { ...watch, signal }));
  }

  /** Ends when the requests have, which the signal ends. */
  close(): Promise<void> {
    return this.#requests.run(() => Promise.resolve());
  }

  async #import(request: ImportRequest, { signal, progress }: ImportWatch): Promise<readonly ImportedFile[]> {
    const counted = new Map<string, Counted>();
    const found: FoundFile[] = [];
    for (const path of request.paths) {
      const file = await this.#find(path, request);
      const bytes = file?.size ?? 0;
      const refusal = file === null ? 'there is no file that can be read' : null;
      counted.set(path, { path, bytes, bytesRead: 0, lines: 0, knownLines: 0, refusal });
      if (file !== null) found.push(file);
    }
    const all = [...counted.values()];
    for (const file of inOrder(found)) {
      const count = counted.get(file.path);
      if (count === undefined) continue;
      const reader = new OneFile(file, this.#options, { signal, changed: () => progress(all), count });
      try {
        await reader.read();
      } catch (error) {
        signal.throwIfAborted();
        count.refusal = reasonOf(error);
      }
      progress(all);
    }
    return all;
  }

  async #find(path: string, { tag, encoding }: ImportRequest): Promise<FoundFile | null> {
    const stat = await statOf(path);
    if (stat === null) return null;
    const before = pathsBeforeRotation(path);
    const { generations } = this.#options.checkpoints;
    let base = path;
    for (const one of before.toReversed()) {
      if (generations.sourceOf(one) !== null || (await statOf(one)) !== null) base = one;
    }
    const rule = { include: [path], ...(tag !== undefined && { tag }), ...(encoding !== undefined && { encoding }) };
    return { path, rule, isAsked: true, before, base, facts: '', ...stat };
  }
}

class OneFile {
  readonly #file: FoundFile;
  readonly #options: FileImportsOptions;
  readonly #signal: AbortSignal;
  readonly #changed: () => void;
  readonly #count: Counted;
  #isClaimed = false;
  /** Place from which the rest was searched for anything but NULs. */
  #lookedAt = -1;

  constructor(
    file: FoundFile,
    options: FileImportsOptions,
    { signal, changed, count }: { signal: AbortSignal; changed: () => void; count: Counted },
  ) {
    this.#file = file;
    this.#options = options;
    this.#signal = signal;
    this.#changed = changed;
    this.#count = count;
  }

  async read(): Promise<void> {
    const { collector, clock } = this.#options;
    for (;;) {
      const followed = await collector.deciding.run(() => Promise.resolve(this.#claim()));
      if (followed !== null) return this.#readFollowed(followed);
      if (this.#isClaimed) break;
      await this.#checkPresent();
      if (await this.#endsInNuls()) return this.#countKnown();
      // Whoever reads it now is to end first; what it had by then is passed over.
      await clock.sleep(POLL_MS, this.#signal);
    }
    try {
      await this.#readClaimed();
    } finally {
      collector.claimed.delete(this.#file.identity);
    }
  }

  /** NULs at the end are left by who follows the file until something comes behind them. Searched once for a place. */
  async #endsInNuls(): Promise<boolean> {
    const { identity, path, size } = this.#file;
    const followed = this.#options.collector.reading(identity)?.followed;
    if (!followed) return false;
    const { offset } = followed.generation.place;
    if (offset === this.#lookedAt) return false;
    this.#lookedAt = offset;
    return areNuls(path, offset, size);
  }

  /** What was cut is read by nobody, and would be waited for without end. */
  async #checkPresent(): Promise<void> {
    const now = await statOf(this.#file.path);
    if (now?.identity === this.#file.identity && now.size >= this.#file.size) return;
    throw new SluiceError('body_malformed', 'it was cut or renamed meanwhile');
  }

  /** What the collector follows, where that has read all that the file had; else null, and claims what nobody reads. */
  #claim(): Generation | null {
    const { collector } = this.#options;
    const { identity, size } = this.#file;
    const reading = collector.reading(identity);
    if (reading === null && !collector.claimed.has(identity)) {
      collector.claimed.set(identity, this.#file.base);
      this.#isClaimed = true;
    }
    const generation = reading?.followed?.generation;
    if (generation === undefined) return null;
    const isRead = Math.max(generation.place.offset, generation.unfinishedEnd) >= size;
    return isRead || generation.skipEnd !== 0 ? generation : null;
  }

  #readFollowed(generation: Generation): Promise<void> {
    return generation.skipEnd === 0 ? this.#countKnown() : this.#readAll(this.#fromStart(generation));
  }

  /** What takes long, the reading of all of it, delays nobody who decides of other files. */
  async #readClaimed(): Promise<void> {
    const { checkpoints, clock, host } = this.#options;
    const { identity, base, path } = this.#file;
    const { generations } = checkpoints;
    const own = generations.ofIdentity(identity);
    const source = generations.addSource(base, clock.epochMs());
    let generation = own !== null && (await isSameFile(path, own, this.#signal)) ? own : null;
    if (generation === null && own !== null) generations.detach(own, clock.epochMs());
    generation ??= await generationWith(path, { generations: source.generations, signal: this.#signal });
    if (generation === null) generation = generations.add(source, identity, host);
    else if (generation.identity === '') {
      generations.attach(generation, identity);
      // A last line without an end was not compared: it is given again, and has the same name if it is the same.
      generation.unfinishedEnd = 0;
    }
    if (generation.skipEnd !== 0) return this.#readAll(this.#fromStart(generation));
    if (generation.identity === identity) return this.#readAll(generation);
    // Another file has it: nothing that this one gets from now on is that one's.
    const hasUnfinished = generation.unfinishedEnd > generation.place.offset;
    return hasUnfinished ? this.#readAll({ ...generation, unfinishedEnd: 0 }) : this.#countKnown();
  }

  /** Who collects it did not want its beginning. It is read beside that one, under the same names. */
  #fromStart(generation: Generation): Generation {
    return { ...generation, place: placeAtStart(generation, this.#options.host), unfinishedEnd: 0 };
  }

  /** Of a file that the queue holds, nothing is read but its lines' number. */
  async #countKnown(): Promise<void> {
    const { path, size, identity } = this.#file;
    const count = this.#count;
    let last = LINE_FEED;
    const unpacked = unpackedBytes(path, compressionOf(path), { identity, signal: this.#signal });
    for await (const piece of unpacked) {
      for (let at = piece.indexOf(LINE_FEED); at >= 0; at = piece.indexOf(LINE_FEED, at + 1)) count.knownLines += 1;
      last = piece.at(-1) ?? last;
    }
    if (last !== LINE_FEED) count.knownLines += 1;
    count.bytesRead = size;
  }

  async #readAll(generation: Generation): Promise<void> {
    const { checkpoints, clock, host, room } = this.#options;
    const { path, base, rule, identity, size } = this.#file;
    // No line goes on before the number of its generation is saved.
    while (!(await checkpoints.save())) await clock.sleep(SAVE_RETRY_MS, this.#signal);
    let failure: unknown = null;
    const isOwn = checkpoints.generations.ofIdentity(identity) === generation;
    const file = new WholeFile(path, compressionOf(path), generation, {
      ...factsOf({ path: base, facts: '' }, rule, host),
      malformed: () => undefined,
      budget: null,
      identity,
      delivery: new Delivery({ ...this.#options, signal: this.#signal }),
      changed: () => {
        if (!isOwn) return;
        checkpoints.generations.changed(generation);
        checkpoints.schedule();
      },
      ended: (_file, error) => (failure = error),
    });
    const slot = newSlot();
    const count = this.#count;
    try {
      for (let hasMore = true; hasMore;) {
        this.#signal.throwIfAborted();
        if (room.hasRoom) hasMore = await file.turn(slot);
        else await room.room(this.#signal);
        Object.assign(count, { lines: file.lines, knownLines: file.passedLines, bytesRead: file.bytesRead });
        this.#changed();
      }
    } finally {
      await file.close();
    }
    if (generation.unfinishedEnd > generation.place.offset && file.lines === 0) count.knownLines += 1;
    await checkpoints.save();
    const isCut = failure === null && compressionOf(path) === null && file.bytesRead < size;
    if (isCut) failure = new Error('it was cut meanwhile');
    if (failure !== null) throw new SluiceError('body_malformed', `Cannot read all of it: ${reasonOf(failure)}`);
  }
}
