// Has the system tell which files of some folders are written, made, renamed or removed (inotify on Linux). Where it
// cannot (network file systems, shares of a virtual machine, too few watches), the folder is one to be asked instead:
// see `isWatched`.
//
// Whoever may write to a folder makes events as fast as they are read, and nothing else has a turn until all are read.
// So a folder with too many is not watched for a while.

import { type FSWatcher, statfsSync, watch } from 'node:fs';

/**
 * File systems of Linux that tell of every change, whoever makes it: all writers are on this machine. By their
 * `f_type`, see statfs(2).
 */
const LOCAL_FILE_SYSTEMS: ReadonlySet<number> = new Set([
  0xef53, // ext2, ext3, ext4
  0x58465342, // xfs
  0x9123683e, // btrfs
  0x01021994, // tmpfs
  0x858458f6, // ramfs
  0x794c7630, // overlayfs
  0x2fc12fc1, // zfs
  0xf2f52010, // f2fs
  0xca451a4e, // bcachefs
]);

/** In a second: of a folder, and of all; an event takes some microseconds. */
const EVENTS_MAX = 5000;
const EVENTS_OF_ALL_MAX = 20_000;
/** Beyond those of all, a folder with fewer is not the one that makes them. */
const EVENTS_FEW = 200;
const SECOND_MS = 1000;
/** A folder with too many is asked for so long. */
const UNWATCHED_MS = 60_000;

export interface FolderEvents {
  /** Something was written to the file. */
  written(path: string): void;
  /** The name is given to a file, or to none any more. Null: nobody knows which name of the folder. */
  named(folder: string, path: string | null): void;
  /** It has more events than are read. Told once, as long as the folder is one to be watched. */
  flooded(folder: string): void;
}

export class FolderWatches implements Disposable {
  readonly #events: FolderEvents;
  readonly #watchers = new Map<string, FSWatcher | null>();
  /** In this second: of each folder, and of all. */
  readonly #counts = new Map<string, number>();
  #countOfAll = 0;
  #secondMs = 0;
  /** Until when they are not watched; they stay here until they are gone. */
  readonly #floodedUntilMs = new Map<string, number>();

  constructor(events: FolderEvents) {
    this.#events = events;
  }

  /** Whether the system tells of all that happens in the folder. */
  isWatched(folder: string): boolean {
    return (this.#watchers.get(folder) ?? null) !== null;
  }

  /** From now on these and no others. Returns those that are new. */
  watch(folders: ReadonlySet<string>): string[] {
    for (const [folder, watcher] of this.#watchers) {
      if (folders.has(folder)) continue;
      watcher?.close();
      this.#watchers.delete(folder);
    }
    for (const [folder, untilMs] of this.#floodedUntilMs) {
      if (!folders.has(folder)) this.#floodedUntilMs.delete(folder);
      else if (performance.now() >= untilMs && !this.isWatched(folder)) this.#watchers.delete(folder);
    }
    const added = [...folders].filter((folder) => !this.#watchers.has(folder));
    for (const folder of added) this.#watchers.set(folder, this.#watcherOf(folder));
    return added;
  }

  [Symbol.dispose](): void {
    this.watch(new Set());
  }

  /** Counts an event. */
  #isFlood(folder: string): boolean {
    const nowMs = performance.now();
    if (nowMs - this.#secondMs >= SECOND_MS) {
      this.#secondMs = nowMs;
      this.#counts.clear();
      this.#countOfAll = 0;
    }
    const count = (this.#counts.get(folder) ?? 0) + 1;
    this.#counts.set(folder, count);
    this.#countOfAll += 1;
    return count > EVENTS_MAX || (this.#countOfAll > EVENTS_OF_ALL_MAX && count > EVENTS_FEW);
  }

  #unwatch(folder: string, watcher: FSWatcher): void {
    watcher.close();
    this.#watchers.set(folder, null);
    if (!this.#floodedUntilMs.has(folder)) this.#events.flooded(folder);
    this.#floodedUntilMs.set(folder, performance.now() + UNWATCHED_MS);
    this.#events.named(folder, null);
  }

  #watcherOf(folder: string): FSWatcher | null {
    if (!isLocal(folder)) return null;
    try {
      const watcher = watch(folder || '/', { persistent: false }, (event, name) => {
        // Events that were read already come after it is closed.
        if (this.#watchers.get(folder) !== watcher) return;
        if (this.#isFlood(folder)) return this.#unwatch(folder, watcher);
        if (name === null) this.#events.named(folder, null);
        else if (event === 'change') this.#events.written(`${folder}/${name}`);
        else this.#events.named(folder, `${folder}/${name}`);
      });
      watcher.on('error', () => {
        watcher.close();
        // The folder may be there again under its name: the next walk finds out.
        this.#watchers.delete(folder);
        this.#events.named(folder, null);
      });
      return watcher;
    } catch {
      return null;
    }
  }
}

function isLocal(folder: string): boolean {
  if (process.platform !== 'linux') return false;
  try {
    return LOCAL_FILE_SYSTEMS.has(statfsSync(folder || '/').type);
  } catch {
    return false;
  }
}

/** Whether the times of a file on it change by writes alone: no server and no cache is between. */
export function hasTrueTimes(folder: string): boolean {
  return isLocal(folder);
}
