// Who gives way to whom where more files have something to read than may be open, and none of the open ones is quiet:
// they take turns at being open. Closing a file loses nothing, for its place is known.
//
//   who waits    each folder in turn; of a folder, who was refused first
//   who gives    of the folder with most open files, who has been open longest
//
// Guarantees: who waits is open in the end, however many others wait, and in whatever order they are asked for; a
// folder of many files takes nothing from one with few. At most half of those that can give way do so at once: what
// goes round is not all of them.

import { dirname } from 'node:path';
import { roundRobin } from './round-robin.ts';

/** A plan holds as long as who was opened by it must stay open. */
export const OPEN_MS = 1000;

/** A file that may give way. */
export interface OpenFile {
  readonly path: string;
}

interface Waiting {
  readonly folder: string;
  /** The walk in which it was last refused. */
  walk: number;
}

export class OpenShares<File extends OpenFile> {
  /** By identity; who was refused first comes first. */
  readonly #waiting = new Map<string, Waiting>();
  #walk = 0;
  #next = new Set<string>();
  /** Who gives way first is last. */
  #giving: File[] = [];
  #plannedMs = Number.NEGATIVE_INFINITY;

  refused(identity: string, path: string): void {
    const waiting = this.#waiting.get(identity) ?? { folder: dirname(path), walk: 0 };
    waiting.walk = this.#walk;
    this.#waiting.set(identity, waiting);
  }

  opened(identity: string): void {
    this.#waiting.delete(identity);
  }

  /** A walk over all files has ended, in which all that wait have asked. */
  walked(): void {
    for (const [identity, { walk }] of this.#waiting) if (walk < this.#walk) this.#waiting.delete(identity);
    this.#walk += 1;
  }

  /** The file that gives way to this one; null: it is not its turn. `open`: who can give way, open longest first. */
  giverFor(identity: string, nowMs: number, open: () => File[], canGive: (file: File) => boolean): File | null {
    if (!this.#waiting.has(identity)) return null;
    if (nowMs - this.#plannedMs >= OPEN_MS) {
      this.#plannedMs = nowMs;
      // The last of a folder is its only one.
      this.#giving = roundRobin(open().toReversed(), ({ path }) => dirname(path));
      const next = roundRobin([...this.#waiting], ([, { folder }]) => folder);
      this.#next = new Set(next.slice(0, Math.ceil(this.#giving.length / 2)).map(([waiting]) => waiting));
    }
    if (!this.#next.delete(identity)) return null;
    for (let file = this.#giving.pop(); file !== undefined; file = this.#giving.pop()) if (canGive(file)) return file;
    return null;
  }
}
