// The names in the folders of a walk, each folder read once as long as there are not too many of them to keep.
//
// Guarantees: only so many names of a folder, and of all folders, are read; memory stays within NAMES_KEPT, and what is
// gone through at the moment.

import type { Dirent } from 'node:fs';
import { opendir } from 'node:fs/promises';

const NAMES_AT_ONCE = 1024;
/** Of a folder. */
const NAMES_MAX = 100_000;
/** Of all folders, and how many of them are kept for who asks again. */
const NAMES_OF_ALL = 1_000_000;
const NAMES_KEPT = 200_000;

export class Listings {
  readonly #listings = new Map<string, Promise<Dirent[]>>();
  #kept = 0;
  #read = 0;
  /** Folders of which not all names were read. */
  readonly overfull = new Set<string>();

  in(folder: string): Promise<Dirent[]> {
    let listing = this.#listings.get(folder);
    if (listing === undefined) {
      if (this.#kept > NAMES_KEPT) {
        this.#listings.clear();
        this.#kept = 0;
      }
      listing = this.#namesIn(folder);
      this.#listings.set(folder, listing);
    }
    return listing;
  }

  /** A folder that is gone, or may not be read, has nothing now. */
  async #namesIn(folder: string): Promise<Dirent[]> {
    const names: Dirent[] = [];
    try {
      for await (const entry of await opendir(folder, { bufferSize: NAMES_AT_ONCE })) {
        if (names.length === NAMES_MAX || this.#read >= NAMES_OF_ALL) {
          this.overfull.add(folder);
          break;
        }
        this.#read += 1;
        this.#kept += 1;
        names.push(entry);
      }
    } catch {
      return [];
    }
    return names;
  }
}
