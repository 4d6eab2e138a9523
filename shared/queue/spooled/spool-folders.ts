// The folders of the spools of one data folder, `<data.dir>/spool/<n>`: each forwarder process holds one, and takes
// over what others have left.
//
//   spool/lock        held for a moment by whoever takes or removes a folder, so that no two do so at once
//   spool/0/lock      held by the process that the folder belongs to, until it ends, however it ends
//   spool/0/log.sqlite

import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '#shared/clock.ts';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import { lockFolder, makeFolder } from '#shared/sqlite/database.ts';
import { type EmbeddedQueue, openEmbeddedQueue } from '../embedded/embedded-queue.ts';

const LOG = 'log.sqlite';
const OWN_FILES = [LOG, `${LOG}-wal`, `${LOG}-shm`, 'lock', 'lock-journal'];
// Others hold the lock while they open a log, which may have a WAL to be read.
const LOCK_WAIT_MS = 60_000;
const LOCK_PAUSE_MS = 50;
const UNUSABLE_FIRST_MS = 5000;
const UNUSABLE_AGAIN_MS = 60_000;

export interface SpoolFoldersOptions {
  readonly dataDir: string;
  /** Of each spool. */
  readonly bytesMax: number;
  readonly clock: Clock;
  warn(message: string): void;
}

export interface SpoolFolder {
  readonly name: string;
  readonly queue: EmbeddedQueue;
}

export class SpoolFolders {
  readonly #options: SpoolFoldersOptions;
  readonly #root: string;
  /** Folders that could not be opened: why, which is logged once, and when it is tried again. */
  readonly #unusable = new Map<string, { readonly why: string; readonly againMs: number }>();
  /** Those of this process. */
  readonly #own = new Set<string>();

  constructor(options: SpoolFoldersOptions) {
    this.#options = options;
    this.#root = join(options.dataDir, 'spool');
  }

  /** Takes the first folder that nobody holds, with whatever is in it. Rejects with data_dir_unusable. */
  async claim(): Promise<SpoolFolder> {
    makeFolder(this.#root);
    using _lock = await this.#lock();
    for (let n = 0; ; n++) {
      const folder = await this.#open(String(n));
      if (folder !== null) return folder;
    }
  }

  /** Takes a spool that its process has left behind; null where there is none, or others are just looking. */
  async adopt(): Promise<SpoolFolder | null> {
    if (this.#others().length === 0) return null;
    using lock = this.#lockAtOnce();
    if (lock === null) return null;
    for (const name of this.#others()) {
      if (!this.#isLeft(name)) continue;
      try {
        const folder = await this.#open(name);
        if (folder !== null) return folder;
      } catch (error) {
        this.#tellUnusable(name, reasonOf(error));
      }
    }
    return null;
  }

  /** Spools that no process holds, as of now. */
  left(): number {
    if (this.#others().length === 0) return 0;
    using lock = this.#lockAtOnce();
    return lock === null ? 0 : this.#others().filter((name) => this.#isLeft(name)).length;
  }

  /** Closes a spool and removes its folder; what was set aside in it stays. */
  async remove({ name, queue }: SpoolFolder): Promise<void> {
    using _lock = await this.#lock();
    await this.release({ name, queue });
    this.#unusable.delete(name);
    const folder = join(this.#root, name);
    for (const file of OWN_FILES) rmSync(join(folder, file), { force: true });
    if (readdirSync(folder).length === 0) rmdirSync(folder);
  }

  /** Closes a spool that could not be fed; it is left like any other, and is tried again after a while. */
  async giveUp(folder: SpoolFolder, why: string): Promise<void> {
    this.#tellUnusable(folder.name, why);
    // Whatever the error was, this process must not go on holding what it does not feed.
    await this.release(folder).catch(() => this.#own.delete(folder.name));
  }

  /** Closes a spool, which somebody else may take over. */
  async release({ name, queue }: SpoolFolder): Promise<void> {
    await queue[Symbol.asyncDispose]();
    this.#own.delete(name);
  }

  /** Folders with a spool that are not of this process. */
  #others(): string[] {
    return readdirSync(this.#root).filter(
      (name) => /^\d+$/.test(name) && !this.#own.has(name) && existsSync(join(this.#root, name, LOG)),
    );
  }

  /** Whether nobody holds it. A process that ends by a kill, at any moment, does not. */
  #isLeft(name: string): boolean {
    const unusable = this.#unusable.get(name);
    if (unusable && this.#options.clock.monotonicMs() < unusable.againMs) return false;
    try {
      lockFolder(join(this.#root, name))[Symbol.dispose]();
      return true;
    } catch (error) {
      const isHeld = error instanceof SluiceError && error.code === 'data_dir_locked';
      if (!isHeld) this.#tellUnusable(name, reasonOf(error));
      return false;
    }
  }

  #tellUnusable(name: string, why: string): void {
    const told = this.#unusable.get(name)?.why;
    // Most errors pass at once; one that does not must not keep the others from their turn.
    const pauseMs = told === why ? UNUSABLE_AGAIN_MS : UNUSABLE_FIRST_MS;
    this.#unusable.set(name, { why, againMs: this.#options.clock.monotonicMs() + pauseMs });
    if (told === why) return;
    const folder = join(this.#root, name);
    this.#options.warn(`Cannot take over the spool in ${folder}: ${why}; it is tried again every minute`);
  }

  /** Null where another process holds it. */
  async #open(name: string): Promise<SpoolFolder | null> {
    const { dataDir, bytesMax, clock, warn } = this.#options;
    try {
      const queue = await openEmbeddedQueue({
        dataDir,
        folder: join('spool', name),
        name: 'the spool',
        setDamagedAside: true,
        bytesMax,
        retentionMs: 0,
        readOnly: false,
        clock,
        warn,
      });
      this.#own.add(name);
      return { name, queue };
    } catch (error) {
      if (error instanceof SluiceError && error.code === 'data_dir_locked') return null;
      throw error;
    }
  }

  /** Null where others have it: the next look will do. */
  #lockAtOnce(): Disposable | null {
    try {
      return lockFolder(this.#root);
    } catch (error) {
      if (error instanceof SluiceError && error.code === 'data_dir_locked') return null;
      throw error;
    }
  }

  async #lock(): Promise<Disposable> {
    const { clock } = this.#options;
    const overdueMs = clock.monotonicMs() + LOCK_WAIT_MS;
    for (;;) {
      try {
        return lockFolder(this.#root);
      } catch (error) {
        const isHeld = error instanceof SluiceError && error.code === 'data_dir_locked';
        if (!isHeld || clock.monotonicMs() >= overdueMs) throw error;
      }
      await clock.sleep(LOCK_PAUSE_MS);
    }
  }
}
