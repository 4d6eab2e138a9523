// What a search will be asked for next: whoever goes through many pages of blocks that overlap in time would have every
// one of them decoded for each page, so several pages are read at once, and the others kept until they are asked for.
//
// Guarantees: what is kept is given out only while nothing of it was changed or deleted, and nothing came between it; a
// few searches are kept, and each is bounded in bytes by whoever reads.

import { isDeepStrictEqual } from 'node:util';
import type { StoreQuery } from '../../store.ts';
import type { Row, RowPage, Source } from './row-page.ts';

type Sort = readonly (string | number)[];

interface Kept {
  readonly query: StoreQuery;
  readonly source: Source;
  readonly page: RowPage;
  /** Rows before this one were given out. */
  at: number;
}

/** Searches at a time. */
const KEPT_MAX = 2;

export class ReadAhead {
  readonly #isUnchanged: (source: Source) => boolean;
  #kept: readonly Kept[] = [];

  constructor(isUnchanged: (source: Source) => boolean) {
    this.#isUnchanged = isUnchanged;
  }

  /** The next page of a search that goes on where one of the kept ones ended; null where there is none. */
  next(query: StoreQuery, bytesMax: number): RowPage | null {
    const asked = apartFromPlace(query);
    const kept = this.#kept.find(({ query: known, page, at }) => {
      const last = page.rows[at - 1];
      return last !== undefined && isAt(query.after, sortOf(last)) && isDeepStrictEqual(known, asked);
    });
    if (kept === undefined) return null;
    this.#kept = this.#kept.filter((each) => each !== kept);
    return this.#isUnchanged(kept.source) ? this.#giveOut(kept, query.limit, bytesMax) : null;
  }

  /** The first of what was read for this query; the rest is kept. */
  keep(query: StoreQuery, { page, source }: { page: RowPage; source: Source }, bytesMax: number): RowPage {
    return this.#giveOut({ query: apartFromPlace(query), source, page, at: 0 }, query.limit, bytesMax);
  }

  #giveOut(kept: Kept, limit: number, bytesMax: number): RowPage {
    const { page, at } = kept;
    const rows: Row[] = [];
    let bytes = 0;
    for (const row of page.rows.slice(at, at + limit)) {
      if (rows.length > 0 && bytes + row.source.length > bytesMax) break;
      rows.push(row);
      bytes += row.source.length;
    }
    kept.at += rows.length;
    if (kept.at >= page.rows.length) return { ...page, rows, bytes };
    this.#kept = [...this.#kept, kept].slice(-KEPT_MAX);
    return { rows, bytes, isLast: false };
  }
}

const apartFromPlace = (query: StoreQuery): StoreQuery => ({ ...query, limit: 0, after: [] });

const sortOf = ({ time, sequence, rowid }: Row): Sort => [time, sequence, rowid];

const isAt = (after: Sort | undefined, place: Sort): boolean =>
  after !== undefined && after.length === place.length && after.every((part, i) => part === place[i]);
