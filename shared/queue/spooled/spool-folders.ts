// The folders of the spools of one data folder, `<data.dir>/spool/<n>`: each forwarder process holds one, and takes over what others
// have left.
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
  /** Folders that could not be opened: told once. */
  readonly #unusable = new Set<string>();

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

  /** Takes a spool that its process has left behind; null where there is none. */
  async adopt(): Promise<SpoolFolder | null> {
    using _lock = await this.#lock();
    for (const name of readdirSync(this.#root)) {
      if (!/^\d+$/.test(name) || this.#unusable.has(name) || !existsSync(join(this.#root, name, LOG))) continue;
      try {
        const folder = await this.#open(name);
        if (folder !== null) return folder;
      } catch (error) {
        this.#unusable.add(name);
        this.#options.warn(`Cannot take over the spool in ${join(this.#root, name)}: ${reasonOf(error)}`);
      }
    }
    return null;
  }

  /** Closes a spool and removes its folder; what was set aside in it stays. */
  async remove({ name, queue }: SpoolFolder): Promise<void> {
    using _lock = await this.#lock();
    await queue[Symbol.asyncDispose]();
    const folder = join(this.#root, name);
    for (const file of OWN_FILES) rmSync(join(folder, file), { force: true });
    if (readdirSync(folder).length === 0) rmdirSync(folder);
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
      return { name, queue };
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
