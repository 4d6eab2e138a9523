// The files that are followed: by identity, and by the paths that lead to them. Wakes those that nobody tells of, and
// closes those that are read to their end and gone.
//
// Only so many are open at once. Where there are more, those that are read to their end and were quiet for longest are
// parked: closed, and opened again when they have something more. Where there are none, those that are held back are
// parked for as long: who floods a node by many files keeps none of the others out. Where there are none of these
// either, files that grow take turns (open-shares.ts). What is written to a parked file just before it is removed is
// lost, as it is for a file that was never seen.

import type { Clock } from '#shared/clock.ts';
import { folderOf } from '../walk/found-path.ts';
import type { FoundFile } from './found-files.ts';
import type { FollowedFile } from './followed-file.ts';
import type { Generation } from '../checkpoints/generations.ts';
import { QuickLooks } from '../turns/quick-looks.ts';
import type { ReadingTurns } from '../turns/reading-turns.ts';
import { OPEN_MS, OpenShares } from '../sources/open-shares.ts';
import { type FileFigures, unreadOf } from './telemetry.ts';

/** Whoever renamed or removed a file may still write to it for a moment. */
const GRACE_MS = 5000;
/** No program takes so long from the beginning of a line to its end. */
const UNFINISHED_MS = 5000;
/** Nothing was written for so long to a file that is parked. */
const QUIET_MS = 1000;
/** A file that is held back for so long needs no descriptor meanwhile. */
const HELD_MS = 500;
/** An unfinished line has been given by then, and a rotated file is read, as a rule. */
const OPEN_LONGER_MS = 10_000;
/** A file that nobody can open again: its writer may have it open for ever. */
const GONE_MS = 60_000;
/** Times of the same write differ by that, as they were asked for. */
const TIME_ROUNDING_MS = 0.001;
/** A file that has not grown for so long is asked at each tick alone. */
const GROWS_MS = 10_000;
/** A file that could not be read is tried again. */
const RETRY_MS = 5000;
const FIRST_STEP = 101;

export interface FollowedFilesOptions {
  readonly clock: Clock;
  readonly openMax: number;
  readonly turns: ReadingTurns;
  readonly isWatched: (folder: string) => boolean;
}

export class FollowedFiles {
  readonly #options: FollowedFilesOptions;
  readonly #byIdentity = new Map<string, FollowedFile>();
  /** Null: it is known, and needs no descriptor. */
  readonly #byPath = new Map<string, FollowedFile | null>();
  readonly #pathsOf = new Map<FollowedFile, Set<string>>();
  readonly #openedMs = new Map<FollowedFile, number>();
  readonly #shares = new OpenShares<FollowedFile>();
  readonly #failedMs = new Map<FollowedFile, number>();
  /** Since when no path leads to them. */
  readonly #goneMs = new Map<FollowedFile, number>();
  /** Identities of those that are closed, or were never open, though a path leads to them. */
  readonly #parked = new Set<string>();
  /** Of the parked, those that are held back: until when. */
  readonly #heldUntilMs = new Map<string, number>();
  /** How often no room could be made since the last walk over all files, and by then. */
  #waiting = 0;
  #waitingLast = 0;
  /** Of the files that are open: who is asked first at a tick. */
  #first = 0;
  /** What may be parked, the quietest last; and when that was found out. */
  #quiet: { readonly files: FollowedFile[]; readonly atMs: number } = { files: [], atMs: Number.NEGATIVE_INFINITY };
  /** The same of those that are held back, the longest last. */
  #held: FollowedFile[] = [];

  readonly #quickLooks: QuickLooks<FollowedFile>;

  constructor(options: FollowedFilesOptions) {
    this.#options = options;
    this.#quickLooks = new QuickLooks(options.clock, (file) => options.turns.wake(file));
  }

  of(identity: string): FollowedFile | null {
    return this.#byIdentity.get(identity) ?? null;
  }

  get count(): number {
    return this.#byIdentity.size;
  }

  at(path: string): FollowedFile | null {
    return this.#byPath.get(path) ?? null;
  }

  isKnown(path: string): boolean {
    return this.#byPath.has(path);
  }

  *pathsIn(folder: string): IterableIterator<string> {
    for (const path of this.#byPath.keys()) if (folderOf(path) === folder) yield path;
  }

  isParked(identity: string): boolean {
    return this.#parked.has(identity);
  }

  /** How many could not be opened in the last walk over all files. */
  get waiting(): number {
    return this.#waitingLast;
  }

  /** A walk over all files has ended, which found these identities. Returns how many wait to be opened. */
  walked(present: ReadonlySet<string>): number {
    this.#waitingLast = this.#waiting;
    this.#waiting = 0;
    this.#shares.walked();
    for (const parked of [this.#parked, this.#heldUntilMs])
      for (const identity of parked.keys()) if (!present.has(identity)) parked.delete(identity);
    return this.#waitingLast;
  }

  /** Whether the file, of which all is read, is left closed: as many are open as may be. */
  parks({ identity, writtenMs }: FoundFile, generation: Generation): boolean {
    const isSame = Math.abs(generation.writtenMs - writtenMs) < TIME_ROUNDING_MS;
    if (this.count < this.#options.openMax || !isSame) return false;
    this.#parked.add(identity);
    return true;
  }

  /** Whether the file may be opened, beside so many that are not among these yet; parks one for it, or itself. */
  makeRoom({ identity, base, path }: FoundFile, others: number): boolean {
    if (this.count + others < this.#options.openMax) return true;
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#quiet.files.length === 0 && nowMs - this.#quiet.atMs >= QUIET_MS) {
      const all = [...this.#byIdentity.values()];
      const files = all.filter((file) => this.#isQuiet(file, nowMs));
      this.#quiet = { files: files.sort((a, b) => b.grownMs - a.grownMs), atMs: nowMs };
      this.#held = all.filter((file) => isHeldBack(file, nowMs)).sort((a, b) => a.heldUntilMs - b.heldUntilMs);
    }
    for (let file = this.#quiet.files.pop(); file !== undefined; file = this.#quiet.files.pop())
      if (!file.isOver && this.#isQuiet(file, nowMs)) return this.#park(file);
    const isHeld = nowMs < (this.#heldUntilMs.get(identity) ?? 0);
    for (let file = isHeld ? undefined : this.#held.pop(); file !== undefined; file = this.#held.pop()) {
      if (file.isOver || !isHeldBack(file, nowMs)) continue;
      this.#heldUntilMs.set(file.generation.identity, file.heldUntilMs);
      return this.#park(file);
    }
    const giver = isHeld ? null : this.#giverFor(identity, nowMs);
    if (giver !== null) return this.#park(giver);
    this.#waiting += 1;
    if (!isHeld) this.#shares.refused(identity, path);
    if (base === path) this.#parked.add(identity);
    return false;
  }

  #giverFor(identity: string, nowMs: number): FollowedFile | null {
    const canGive = (file: FollowedFile): boolean => !file.isOver && this.#canGive(file, nowMs);
    const open = (): FollowedFile[] => [...this.#openedMs.keys()].filter(canGive);
    return this.#shares.giverFor(identity, nowMs, open, canGive);
  }

  #park(file: FollowedFile): true {
    if (file.path === file.generation.source.path) this.#parked.add(file.generation.identity);
    this.#close(file);
    return true;
  }

  add(file: FollowedFile): void {
    this.#parked.delete(file.generation.identity);
    this.#heldUntilMs.delete(file.generation.identity);
    this.#shares.opened(file.generation.identity);
    file.grownMs = this.#options.clock.monotonicMs();
    this.#openedMs.set(file, file.grownMs);
    this.#byIdentity.set(file.generation.identity, file);
    this.#pathsOf.set(file, new Set());
    this.name(file, file.path);
  }

  /** The path leads to the file, whatever it led to before. */
  name(file: FollowedFile, path: string): void {
    const before = this.#byPath.get(path);
    if (before === file) return;
    if (before) this.#pathsOf.get(before)?.delete(path);
    this.#byPath.set(path, file);
    this.#pathsOf.get(file)?.add(path);
    file.path = path;
  }

  /** The path leads to a file that has nothing to read. */
  remember(path: string): void {
    const before = this.#byPath.get(path);
    if (before) this.#pathsOf.get(before)?.delete(path);
    this.#byPath.set(path, null);
  }

  /** Forgets the paths that are gone. */
  keepPaths(paths: { has(path: string): boolean }): void {
    for (const [path, file] of this.#byPath) {
      if (paths.has(path)) continue;
      this.#byPath.delete(path);
      if (file) this.#pathsOf.get(file)?.delete(path);
    }
  }

  /** The same descriptor, for another generation. */
  replace(file: FollowedFile, next: FollowedFile): void {
    const paths = this.#pathsOf.get(file) ?? new Set();
    this.#pathsOf.delete(file);
    this.#pathsOf.set(next, paths);
    for (const path of paths) this.#byPath.set(path, next);
    this.#goneMs.delete(file);
    this.#openedMs.set(next, this.#openedMs.get(file) ?? 0);
    this.#openedMs.delete(file);
    this.#byIdentity.set(next.generation.identity, next);
  }

  failed(file: FollowedFile): void {
    this.#failedMs.set(file, this.#options.clock.monotonicMs());
  }

  tick(): void {
    const nowMs = this.#options.clock.monotonicMs();
    const files = [...this.#byIdentity.values()];
    // What they compare has a limit: each is among the first in the end.
    this.#first = (this.#first + FIRST_STEP) % Math.max(1, files.length);
    for (const file of [...files.slice(this.#first), ...files.slice(0, this.#first)]) {
      const failedMs = this.#failedMs.get(file);
      if (failedMs !== undefined && nowMs - failedMs < RETRY_MS) continue;
      this.#failedMs.delete(file);
      const isGone = this.#pathsOf.get(file)?.size === 0;
      if (!isGone) this.#goneMs.delete(file);
      else if (!this.#goneMs.has(file)) this.#goneMs.set(file, nowMs);
      if (this.#isDone(file, isGone, nowMs)) this.#close(file);
      else if (this.#mustLook(file, isGone, nowMs) || failedMs !== undefined) this.#options.turns.wake(file);
    }
    const grows = (file: FollowedFile): boolean => nowMs - file.grownMs < GROWS_MS && !this.#failedMs.has(file);
    this.#quickLooks.follow(files.filter((file) => grows(file) && !this.#options.isWatched(folderOf(file.path))));
  }

  figures(): Omit<FileFigures, 'sources'> {
    const unread = unreadOf(this.#byIdentity.values(), this.#options.clock.monotonicMs());
    return { open: this.#byIdentity.size, waiting: this.#waitingLast, ...unread };
  }

  async close(): Promise<void> {
    this.#quickLooks[Symbol.dispose]();
    await Promise.all([...this.#byIdentity.values()].map((file) => file.close()));
  }

  #isQuiet(file: FollowedFile, nowMs: number): boolean {
    if (file.behindSinceMs !== null || file.hasUnfinished || file.isSuspect || file.unreadBytes > 0) return false;
    return (
      file.path === file.generation.source.path && nowMs - file.grownMs >= QUIET_MS && !this.#options.turns.isBusy(file)
    );
  }

  /** Whether it has been open for long enough, though it is not quiet: nobody can keep a file open by what it does. */
  #canGive(file: FollowedFile, nowMs: number): boolean {
    if (file.isInTurn) return false;
    const openMs = nowMs - (this.#openedMs.get(file) ?? nowMs);
    const goneMs = this.#goneMs.get(file);
    if (goneMs !== undefined || this.#pathsOf.get(file)?.size === 0)
      return nowMs - Math.max(goneMs ?? nowMs, nowMs - openMs) >= GONE_MS;
    const isPlain = !file.hasUnfinished && !file.isSuspect && file.path === file.generation.source.path;
    // Its first turn has not come where the queue takes nothing.
    return openMs >= (isPlain && file.heldUntilMs > 0 ? OPEN_MS : OPEN_LONGER_MS);
  }

  #isDone(file: FollowedFile, isGone: boolean, nowMs: number): boolean {
    const sinceMs = Math.max(file.grownMs, this.#goneMs.get(file) ?? 0);
    if (file.behindSinceMs !== null || file.hasUnfinished || nowMs - sinceMs < GRACE_MS) return false;
    if (this.#options.turns.isBusy(file)) return false;
    return isGone || file.path !== file.generation.source.path;
  }

  #mustLook(file: FollowedFile, isGone: boolean, nowMs: number): boolean {
    if (file.hasUnfinished && nowMs - file.grownMs >= UNFINISHED_MS) {
      file.wantsUnfinished = true;
      return true;
    }
    return isGone || file.isSuspect || !this.#options.isWatched(folderOf(file.path));
  }

  #close(file: FollowedFile): void {
    this.#byIdentity.delete(file.generation.identity);
    for (const path of this.#pathsOf.get(file) ?? []) this.#byPath.set(path, null);
    this.#pathsOf.delete(file);
    this.#openedMs.delete(file);
    this.#goneMs.delete(file);
    this.#failedMs.delete(file);
    void file.close();
  }
}

/** Whether it has a name, and is not read for a while. */
function isHeldBack(file: FollowedFile, nowMs: number): boolean {
  return !file.isInTurn && file.heldUntilMs - nowMs >= HELD_MS && file.path === file.generation.source.path;
}
