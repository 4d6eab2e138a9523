// Has the system tell which files of some folders are written, made, renamed or removed (inotify on Linux). Where it
// cannot (network file systems, shares of a virtual machine, too few watches), the folder is one to be asked instead:
// see `isWatched`.

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

export interface FolderEvents {
  /** Something was written to the file. */
  written(path: string): void;
  /** The name is given to a file, or to none any more. Null: nobody knows which name of the folder. */
  named(folder: string, path: string | null): void;
}

export class FolderWatches implements Disposable {
  readonly #events: FolderEvents;
  readonly #watchers = new Map<string, FSWatcher | null>();

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
    const added = [...folders].filter((folder) => !this.#watchers.has(folder));
    for (const folder of added) this.#watchers.set(folder, this.#watcherOf(folder));
    return added;
  }

  [Symbol.dispose](): void {
    this.watch(new Set());
  }

  #watcherOf(folder: string): FSWatcher | null {
    if (!isLocal(folder)) return null;
    try {
      const watcher = watch(folder || '/', { persistent: false }, (event, name) => {
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
