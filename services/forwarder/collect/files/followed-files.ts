// The files that are followed: by identity, and by the paths that lead to them. Wakes those that nobody tells of, and
// closes those that are read to their end and gone.

import type { Clock } from '#shared/clock.ts';
import { folderOf } from './file-walk.ts';
import type { FollowedFile } from './followed-file.ts';
import type { ReadingTurns } from './reading-turns.ts';
import type { FileFigures } from './telemetry.ts';

/** Whoever renamed or removed a file may still write to it for a moment. */
const GRACE_MS = 5000;
/** No program takes so long from the beginning of a line to its end. */
const UNFINISHED_MS = 5000;
/** A file that could not be read is tried again. */
const RETRY_MS = 5000;

export interface FollowedFilesOptions {
  readonly clock: Clock;
  readonly turns: ReadingTurns;
  readonly isWatched: (folder: string) => boolean;
}

export class FollowedFiles {
  readonly #options: FollowedFilesOptions;
  readonly #byIdentity = new Map<string, FollowedFile>();
  /** Null: it is known, and needs no descriptor. */
  readonly #byPath = new Map<string, FollowedFile | null>();
  readonly #pathsOf = new Map<FollowedFile, Set<string>>();
  readonly #failedMs = new Map<FollowedFile, number>();
  /** Since when no path leads to them. */
  readonly #goneMs = new Map<FollowedFile, number>();

  constructor(options: FollowedFilesOptions) {
    this.#options = options;
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

  add(file: FollowedFile): void {
    file.grownMs = this.#options.clock.monotonicMs();
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
    this.#byIdentity.set(next.generation.identity, next);
  }

  failed(file: FollowedFile): void {
    this.#failedMs.set(file, this.#options.clock.monotonicMs());
  }

  tick(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const file of this.#byIdentity.values()) {
      const failedMs = this.#failedMs.get(file);
      if (failedMs !== undefined && nowMs - failedMs < RETRY_MS) continue;
      this.#failedMs.delete(file);
      const isGone = this.#pathsOf.get(file)?.size === 0;
      if (!isGone) this.#goneMs.delete(file);
      else if (!this.#goneMs.has(file)) this.#goneMs.set(file, nowMs);
      if (this.#isDone(file, isGone, nowMs)) this.#close(file);
      else if (this.#mustLook(file, isGone, nowMs) || failedMs !== undefined) this.#options.turns.wake(file);
    }
  }

  figures(): FileFigures {
    const nowMs = this.#options.clock.monotonicMs();
    let unreadBytes = 0;
    let unreadBytesMax = 0;
    let sinceMs = nowMs;
    for (const file of this.#byIdentity.values()) {
      if (file.behindSinceMs === null) continue;
      unreadBytes += file.unreadBytes;
      unreadBytesMax = Math.max(unreadBytesMax, file.unreadBytes);
      sinceMs = Math.min(sinceMs, file.behindSinceMs);
    }
    return { open: this.#byIdentity.size, unreadBytes, unreadBytesMax, unreadSeconds: (nowMs - sinceMs) / 1000 };
  }

  async close(): Promise<void> {
    await Promise.all([...this.#byIdentity.values()].map((file) => file.close()));
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
    this.#goneMs.delete(file);
    void file.close();
  }
}
