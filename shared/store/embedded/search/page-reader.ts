// Reads pages of documents: first which ones may be meant, in their order (candidates.ts), then one document after
// another until the page is large enough. Never more than that is in memory, a few blocks, and one document beyond it.
//
// Guarantees: all is of the same moment of the database, also where another process writes to it.

import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { isDamaged } from '#shared/sqlite/database.ts';
import { isCostly, parseExactJson } from '../../exact-json.ts';
import type { Document } from '../../query/document-values.ts';
import type { StoreQuery } from '../../store.ts';
import { BlockCache } from '../tables/block-cache.ts';
import { type Block, BlockFile } from '../tables/block-file.ts';
import { BlockCounts } from './block-counts.ts';
import { CandidateSearch, type Candidates, type NextHolding } from './candidates.ts';
import type { Candidate } from './first-ones.ts';
import type { Counted, CountStart, OrderedRows, Row, RowPage } from './row-page.ts';
import { BLOCKS_VERSION, PODS_VERSION, versionOf } from '../tables/document-file.ts';
import { OldRows } from './old-rows.ts';
import { containersSql, originsSql, type SqlQuery } from './origin-sql.ts';
import { ReadAhead } from './read-ahead.ts';
import { beforeKey, firstKey, type Place, planOf, type SearchPlan } from './search-plan.ts';

/** Numbers of rows of an older store that are counted at once. */
const OLD_ROWS_COUNTED = 10_000;
/** Documents that a page may ask, of those that may be meant. */
const KEPT_MIN = 500;
const KEPT_MAX = 20_000;
/** Of blocks that are kept, as far as they are decoded: what one page looks at is read again for its documents. */
const CACHED_BYTES = 40 * 1024 * 1024;
/** Of a page, what is asked: whoever writes in the same thread waits, and nobody can interrupt it. */
const SCANNED_BYTES_MAX = 32 * 1024 * 1024;
/** Of documents with numbers that are kept as they are written. */
const COSTLY_FACTOR = 32;
/** Of what is read at once, beyond one document. */
const READ_BYTES = 8 * 1024 * 1024;
const READ_MIN = 50;
/** Whoever goes on for less has no use of what is read ahead. */
const AHEAD_MIN = 500;
const NOTHING: Candidates = { kept: [], seenTo: null, isCut: false };

interface Reading {
  readonly search: CandidateSearch;
  readonly counts: BlockCounts;
  readonly cache: BlockCache;
}

export class PageReader {
  readonly #database: DatabaseSync;
  readonly #tell: (message: string) => void;
  readonly #oldRows: OldRows;
  readonly #stream: StatementSync;
  #reading: Reading | null = null;
  readonly #ahead = new ReadAhead((source) => this.#reader()?.search.isUnchanged(source) === true);

  constructor(database: DatabaseSync, tell: (message: string) => void) {
    this.#database = database;
    this.#tell = tell;
    this.#oldRows = new OldRows(database, tell);
    this.#stream = database.prepare('SELECT stream FROM origins WHERE rowid = ?');
  }

  /** For whoever opens the store for writing: tells of damage that searches may not meet. */
  checkBlocks(): void {
    this.#atOneMoment(() => this.#reader()?.search.checkBlocks());
  }

  /** Throws usage_wrong where a bound of the query is no time. */
  page(query: StoreQuery, bytesMax: number): RowPage {
    return this.#atOneMoment(() => {
      const known = this.#ahead.next(query, bytesMax);
      if (known !== null) return known;
      const plan = this.#plan(query);
      const reading = this.#reader();
      if (query.after === undefined || query.limit < AHEAD_MIN || reading === null || this.#oldRows.areThere)
        return this.#search(plan, query.limit, bytesMax).page;
      const lastBlock = reading.search.lastBlock();
      const { page, kept } = this.#search(plan, KEPT_MAX, READ_BYTES);
      const end = page.next ?? (page.isLast ? null : page.rows.map(sortOfRow).at(-1));
      const source = {
        plan,
        blocks: new Set(kept.map(({ block }) => block?.id ?? 0)),
        lastBlock,
        end: end === null || end === undefined ? null : BigInt(end[plan.byArrival ? 1 : 0]),
      };
      return this.#ahead.keep(query, { page, source }, bytesMax);
    });
  }

  /**
   * How many documents there are of the query, whatever its limit: of the next ones by number, which stay the same
   * whatever is merged meanwhile. Throws as `page` does.
   */
  count({ query, rows, everyMs = null }: CountStart): Counted {
    return this.#atOneMoment(() => {
      const plan = this.#plan(query);
      if (plan.origins?.size === 0) return { count: 0, spans: new Map(), next: null };
      const { after, to } = rows ?? { after: -1, to: this.#lastRow() };
      const hasOld = this.#oldRows.areThere;
      const range = { after, to: hasOld ? Math.min(to, after + OLD_ROWS_COUNTED) : to };
      const counted = this.#reader()?.counts.count(plan, range, everyMs) ?? { spans: new Map(), to: range.to };
      const inBlocks = counted.spans?.values().reduce((sum, count) => sum + count, 0) ?? 0;
      const count = inBlocks + this.#oldRows.count(plan, { after, to: counted.to });
      const next = counted.to >= to ? null : { after: counted.to, to };
      return { count, spans: hasOld ? null : counted.spans, next };
    });
  }

  /**
   * The documents of the query in the order in which they came, whatever is merged meanwhile; only those that are in
   * blocks. Throws as `page` does.
   */
  inOrder({ query, rows: range }: CountStart): OrderedRows {
    return this.#atOneMoment(() => {
      const plan = this.#plan(query);
      const reading = this.#reader();
      // Whoever exports may delete the store afterwards.
      if (range === null) reading?.search.checkBlocks();
      const { after, to: asked } = range ?? { after: -1, to: Infinity };
      const to = asked === Infinity ? this.#lastRow() : asked;
      if (plan.origins?.size === 0 || reading === null || after >= to) return { rows: [], next: null, to };
      const { candidates, to: seenTo } = reading.search.inOrder(plan, { after, to });
      const read = this.#rows(candidates);
      const rows = read.filter(
        (row, i) => row !== null && (candidates[i]?.isExact === true || plan.isMeant(parsed(row.source))),
      );
      // Large documents are fewer.
      const end = read.length < candidates.length ? (candidates[read.length - 1]?.row ?? to) : seenTo;
      return { rows: rows.filter((row) => row !== null), next: end >= to ? null : { after: end, to }, to: end };
    });
  }

  /** For whoever erases: the next block that has documents of the query. Null where the file has no blocks yet. */
  nextHolding(query: StoreQuery, afterId: number, rowMax: number): NextHolding {
    return this.#atOneMoment(() => {
      const plan = this.#plan(query);
      const found = plan.origins?.size === 0 ? null : this.#reader()?.search.nextHolding(plan, afterId, rowMax);
      return found ?? { block: null, lastId: -1, unreadable: 0 };
    });
  }

  /** Numbers of the documents of the block that the query means, up to this row; in a transaction. */
  meantIn(query: StoreQuery, block: Block, rowMax: number): number[] {
    const reading = this.#reader();
    return (
      reading?.cache.read(block, (reader) =>
        reading.search.meantIn(this.#plan(query), block, reader, { after: -1, to: rowMax }),
      ) ?? []
    );
  }

  /** Of all documents there are. */
  #lastRow(): number {
    const sql = `SELECT min(max(row_max), ${Number.MAX_SAFE_INTEGER}) AS last FROM blocks`;
    const inBlocks = this.#reader() && this.#database.prepare(sql).get()?.['last'];
    return Math.max(Number(inBlocks ?? 0), this.#oldRows.lastRow());
  }

  #search(plan: SearchPlan, limit: number, bytesMax: number): { page: RowPage; kept: readonly Candidate[] } {
    if (plan.origins?.size === 0 || limit <= 0) return { page: { rows: [], bytes: 0, isLast: true }, kept: [] };
    const asks = plan.asksDocument || plan.where.kind !== 'all';
    const keep = Math.min(asks ? Math.max(2 * limit, KEPT_MIN) : limit, KEPT_MAX);
    const old = this.#oldRows.candidates(plan, keep + 1);
    const found = this.#reader()?.search.find(plan, { keep, enough: limit }, old) ?? {
      ...NOTHING,
      kept: old.slice(0, keep),
      isCut: old.length > keep,
    };
    return { page: this.#read(plan, found, limit, bytesMax), kept: found.kept };
  }

  #read(plan: SearchPlan, { kept, seenTo, isCut }: Candidates, limit: number, bytesMax: number): RowPage {
    const rows: Row[] = [];
    let bytes = 0;
    let scannedBytes = 0;
    let last: Place | null = null;
    const goOn = (place: Place | null): RowPage =>
      place === null ? { rows, bytes, isLast: false } : { rows, bytes, isLast: false, next: sortOf(place) };
    const isSeen = (key: bigint): boolean => seenTo === null || (plan.isNewest ? key > seenTo : key < seenTo);
    const seen = kept.filter((candidate) => isSeen(firstKey(plan, candidate)));
    for (let at = 0; at < seen.length;) {
      for (const row of this.#rows(seen.slice(at, at + Math.max(limit - rows.length, READ_MIN)))) {
        if (rows.length >= limit || scannedBytes >= SCANNED_BYTES_MAX) return goOn(last);
        const candidate = seen[at++];
        if (row !== null && candidate !== undefined) {
          scannedBytes += row.source.length * (isCostly(row.source) ? COSTLY_FACTOR : 1);
          if (candidate.isExact || plan.isMeant(parsed(row.source))) {
            if (rows.length > 0 && bytes + row.source.length > bytesMax) return goOn(last);
            rows.push(row);
            bytes += row.source.length;
          }
        }
        last = candidate ?? last;
      }
    }
    if (seenTo !== null) return goOn(beforeKey(plan, seenTo));
    if (isCut) return goOn(last);
    return { rows, bytes, isLast: rows.length < limit };
  }

  /** Of the first candidates, one at least: block by block, so that each is decoded once. */
  #rows(candidates: readonly Candidate[]): readonly (Row | null)[] {
    const order = [...candidates.keys()].toSorted(
      (a, b) => (candidates[a]?.block?.id ?? 0) - (candidates[b]?.block?.id ?? 0),
    );
    const rows: (Row | null)[] = [];
    let count = candidates.length;
    let bytes = 0;
    for (const at of order) {
      const candidate = candidates[at];
      if (at >= count || candidate === undefined) continue;
      const row = this.#row(candidate);
      rows[at] = row;
      bytes += row?.source.length ?? 0;
      // How large they are is known when they are read. Those behind are read again.
      while (bytes > READ_BYTES && count > 1) {
        count = Math.ceil(count / 2);
        for (const behind of rows.splice(count)) bytes -= behind?.source.length ?? 0;
      }
    }
    return rows;
  }

  /** Null where its block is damaged. */
  #row(candidate: Candidate): Row | null {
    const { block, at, row, time, sequence } = candidate;
    if (block === null) return this.#oldRows.row(row);
    const read = this.#reader()?.cache.read(block, (reader) => ({
      id: reader.id(at),
      source: reader.text(at),
      origin: reader.known.origin[at] ?? 0,
    }));
    if (read === null || read === undefined) return null;
    const stream = this.#stream.get(read.origin)?.['stream'];
    return { rowid: row, id: read.id, stream: String(stream ?? ''), time: String(time), sequence, source: read.source };
  }

  #atOneMoment<T>(work: () => T): T {
    this.#database.exec('BEGIN');
    try {
      return work();
    } finally {
      this.#end();
    }
  }

  /** There is nothing to commit, and after a damaged page SQLite would not. */
  #end(): void {
    try {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
    } catch (error) {
      if (!isDamaged(error)) throw error;
    }
  }

  /** Null while another program has made the file, and none has written to it since. */
  #reader(): Reading | null {
    if (this.#reading === null && versionOf(this.#database) >= BLOCKS_VERSION) {
      const file = new BlockFile(this.#database);
      const cache = new BlockCache(file, { keptBytes: CACHED_BYTES, tell: this.#tell });
      const search = new CandidateSearch(this.#database, file, cache);
      this.#reading = { cache, search, counts: new BlockCounts(this.#database, search, cache) };
    }
    return this.#reading;
  }

  #plan(query: StoreQuery): SearchPlan {
    const { name, container } = query;
    const named =
      name === undefined ? null : this.#originsOf(originsSql(name, versionOf(this.#database) >= PODS_VERSION));
    const contained = container === undefined ? null : this.#originsOf(containersSql(container));
    return planOf(query, named === null || contained === null ? (named ?? contained) : named.intersection(contained));
  }

  #originsOf({ sql, values }: SqlQuery): Set<number> {
    const found = this.#database.prepare(sql).all(...values);
    return new Set(found.map((row) => Number(row['rowid'])));
  }
}

const sortOfRow = ({ time, sequence, rowid }: Row) => [time, sequence, rowid] as const;
const sortOf = ({ time, sequence, row }: Place): [string, number, number] => [String(time), sequence, row];

/** What `write` took is an object. */
function parsed(source: string): Document {
  return parseExactJson(source) as Document;
}
