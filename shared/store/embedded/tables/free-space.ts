// Space of the file that nothing uses any more, given back to the disk: some pages at a time, for no write is done
// meanwhile.

import type { DatabaseSync } from 'node:sqlite';
import { reasonOf } from '#shared/errors.ts';
import { isDamaged } from '#shared/sqlite/database.ts';
import { guarded } from './document-file.ts';

/** Of the file, what may be free without being given back: one in so many pages. */
const FREE_SHARE = 4;

export class FreeSpace {
  readonly #database: DatabaseSync;
  readonly #tell: (message: string) => void;
  #isTold = false;

  constructor(database: DatabaseSync, tell: (message: string) => void) {
    this.#database = database;
    this.#tell = tell;
  }

  /** A damaged page cannot be moved: what is free is used again all the same. */
  giveBack(pages: number): void {
    try {
      guarded(() => this.#database.exec(`PRAGMA incremental_vacuum(${pages})`));
    } catch (error) {
      if (!isDamaged(error)) throw error;
      if (!this.#isTold) this.#tell(`Cannot give back space of the embedded store: ${reasonOf(error)}`);
      this.#isTold = true;
    }
  }

  isMuch(): boolean {
    const numberOf = (pragma: string): number => Number(this.#database.prepare(`PRAGMA ${pragma}`).get()?.[pragma]);
    return numberOf('freelist_count') * FREE_SHARE > numberOf('page_count');
  }
}
