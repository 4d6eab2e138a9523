// How many documents to ask for at once, so that an answer has about PAGE_BYTES. Elasticsearch knows no limit of bytes,
// and holds an answer whole, as we do: a thousand documents of 16 MiB would end one of the two. So it begins small and
// goes by what came. Pure.
//
//   begin 100 ── small answers: twice as many each time, up to 1,000
//             ── large ones: as many as would have fitted
//             ── too long to be read, or too much for the server: a quarter
//
// Guarantees: at least one; a failure always makes it smaller, so that whoever tries again ends.

import { PAGE_BYTES, PAGE_DOCUMENTS } from '../pages.ts';

const BEGIN = 100;
const GROWTH = 2;
const SHRINKAGE = 4;

export class PageSize {
  #documents = BEGIN;

  get documents(): number {
    return this.#documents;
  }

  /** An answer of so many documents had so many bytes. */
  answered(documents: number, bytes: number): void {
    // Whoever wanted less than could be had shows little; a large document shows all there is to see.
    if (documents === 0 || (documents < this.#documents && bytes <= PAGE_BYTES)) return;
    const fitting = Math.floor((PAGE_BYTES * documents) / Math.max(bytes, 1));
    this.#documents = Math.max(1, Math.min(fitting, this.#documents * GROWTH, PAGE_DOCUMENTS));
  }

  /** `asked` were too many. Returns whether fewer can be asked for. */
  failed(asked: number): boolean {
    if (asked <= 1) return false;
    this.#documents = Math.max(1, Math.floor(asked / SHRINKAGE));
    return true;
  }
}
