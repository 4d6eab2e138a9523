// The documents that a page may have: the first ones in its order that no index and no column rules out. Blocks are
// gone through in that order, as long as one of them may have a document that comes before the last that is kept.
//
// Guarantees: memory is bounded by what is kept, whatever there is; it ends after so many bytes of blocks, and says up
// to which place it has seen everything.

import type { DatabaseSync } from 'node:sqlite';
import { parseExactJson } from '../../exact-json.ts';
import { hashOfOrigin, mayHold } from '../blocks/word-filter.ts';
import { selectRows } from '../blocks/select-rows.ts';
import type { BlockReader } from '../blocks/decode-block.ts';
import { type Block, BLOCK_COLUMNS, type BlockFile, blockOf, DamagedList } from '../tables/block-file.ts';
import type { BlockCache } from '../tables/block-cache.ts';
import { type Candidate, FirstOnes, type KeptMax } from './first-ones.ts';
import type { Rows, Source } from './row-page.ts';
import { compare, firstKey, type SearchPlan } from './search-plan.ts';

export interface Candidates {
  /** In their order. */
  readonly kept: readonly Candidate[];
  /** All with a first key before this one are there; null: all. */
  readonly seenTo: bigint | null;
  /** Whether some were left out behind the last one. */
  readonly isCut: boolean;
}

/** For whoever erases. */
export interface NextHolding {
  /** Null where none was found up to `lastId`; that is -1 where there is nothing behind. */
  readonly block: Block | null;
  readonly lastId: number;
  /** Documents of blocks that may have some and cannot be read. */
  readonly unreadable: number;
}

/** Of blocks that one page looks at, in characters of their documents; a filter counts for what it takes. */
const LOOKED_AT_BYTES = 32 * 1024 * 1024;
const FILTER_BYTES = 16 * 1024;
/** Of what a block knows of each document: all that is looked at where nothing is asked of their text. */
const KNOWN_BYTES = 32;
/** Of blocks that are gone through at once: each of their documents may have to be asked. */
const COUNTED_BYTES = 8 * 1024 * 1024;
const ALL_ROWS: Rows = { after: -1, to: Infinity };
/** Origins that are looked for in the filters. */
const ORIGINS_MAX = 32;

export class CandidateSearch {
  readonly #database: DatabaseSync;
  readonly #file: BlockFile;
  readonly #cache: BlockCache;

  constructor(database: DatabaseSync, file: BlockFile, cache: BlockCache) {
    this.#database = database;
    this.#file = file;
    this.#cache = cache;
  }

  /** `old`: candidates from elsewhere, at least the first of them that are kept. */
  find(plan: SearchPlan, max: KeptMax, old: readonly Candidate[]): Candidates {
    const kept = new FirstOnes(plan, max);
    for (const candidate of old) kept.add(candidate);
    let lookedAt = 0;
    let start = plan.after === null ? null : firstKey(plan, plan.after);
    for (const row of this.#rows(plan)) {
      const block = this.#cache.confined(null, () => blockOf(row));
      if (block === null) continue;
      const key = edgeOf(plan, block);
      if (kept.isBefore(key)) break;
      start ??= key;
      // The next page goes on from here, so it must be further than where this one began. What lies over that place is
      // looked at by each page, and not counted: they would get nowhere.
      const isFurther = plan.isNewest ? key < start : key > start;
      if (isFurther && lookedAt > LOOKED_AT_BYTES) return { kept: kept.all(), seenTo: key, isCut: kept.isCut };
      const looked = this.#look(plan, block, kept);
      if (isFurther) lookedAt += looked;
    }
    return { kept: kept.all(), seenTo: null, isCut: kept.isCut };
  }

  /** Tells of rows that are damaged: by what they say, a search may never look at their blocks. */
  checkBlocks(): void {
    const statement = this.#database.prepare(`SELECT ${BLOCK_COLUMNS} FROM blocks b`);
    statement.setReadBigInts(true);
    this.#cache.confined(null, () => {
      for (const row of statement.iterate()) this.#cache.confined(Number(row['id']), () => blockOf(row));
    });
    // Searches choose by its indexes.
    this.#cache.confined(null, () => {
      const found = this.#database.prepare("PRAGMA integrity_check('blocks')").all();
      const what = found.map((row) => String(row['integrity_check'])).find((text) => text !== 'ok');
      if (what !== undefined) throw new DamagedList(what);
    });
  }

  /** Its number. */
  lastBlock(): number {
    return Number(this.#database.prepare('SELECT max(id) AS last FROM blocks').get()?.['last'] ?? 0);
  }

  /** Whether what was read has the same documents still, and no other ones between them. */
  isUnchanged({ plan, blocks, lastBlock, end }: Source): boolean {
    const there = this.#database.prepare('SELECT count(*) AS n FROM json_each(?) j JOIN blocks b ON b.id = j.value');
    if (Number(there.get(JSON.stringify([...blocks]))?.['n']) !== blocks.size) return false;
    const column = plan.byArrival ? 'sequence' : 'time';
    const before = plan.isNewest ? `b.${column}_max >= ?` : `b.${column}_min <= ?`;
    const { goesOn, edge } = goingOn(plan);
    const newer = this.#database.prepare(
      `SELECT 1 FROM blocks b WHERE b.id > ? AND ${OVERLAPS} AND ${goesOn} AND ${before} LIMIT 1`,
    );
    const last = end ?? (plan.isNewest ? -(2n ** 63n) : 2n ** 63n - 1n);
    return newer.get(lastBlock, ...overlapOf(plan), edge, last) === undefined;
  }

  /** The next documents by number that may be meant, in their order, and up to which one that is: a few blocks. */
  inOrder(plan: SearchPlan, rows: Rows): { readonly candidates: readonly Candidate[]; readonly to: number } {
    const to = this.stepTo(plan, rows);
    const some = { after: rows.after, to };
    const candidates: Candidate[] = [];
    for (const block of this.blocks(plan, some)) {
      for (const one of this.#cache.read(block, (reader) => [...this.#in(plan, block, reader, some)]) ?? [])
        candidates.push(one);
    }
    return { candidates: candidates.toSorted((a, b) => a.row - b.row), to };
  }

  /** Numbers of the documents of a block that are meant, each asked where need be. */
  meantIn(plan: SearchPlan, block: Block, reader: BlockReader, rows: Rows): number[] {
    const meant: number[] = [];
    for (const { at, isExact } of this.#in(plan, block, reader, rows))
      if (isExact || plan.isMeant(parsed(reader.text(at)))) meant.push(at);
    return meant;
  }

  /** Of a few blocks that have the next documents by number: the last one of those that a step takes. */
  stepTo(plan: SearchPlan, rows: Rows): number {
    let bytes = 0;
    for (const row of this.#blockRows(plan, 'ORDER BY b.row_max', rows)) {
      const block = this.#cache.confined(null, () => blockOf(row));
      bytes += block?.bytes ?? 0;
      if (block !== null && bytes > COUNTED_BYTES) return Math.min(Number(block.row.max), rows.to);
    }
    return rows.to;
  }

  /** Those that have documents with these numbers, and may have some that are meant. */
  *blocks(plan: SearchPlan, rows: Rows): Generator<Block, void, void> {
    for (const row of this.#blockRows(plan, '', rows)) {
      const block = this.#cache.confined(null, () => blockOf(row));
      if (block !== null && this.#mayHold(plan, block)) yield block;
    }
  }

  #blockRows(plan: SearchPlan, order: string, { after, to }: Rows): Iterable<Record<string, unknown>> {
    const statement = this.#database.prepare(
      `SELECT ${BLOCK_COLUMNS} FROM blocks b WHERE b.row_max > ? AND b.row_min <= ? AND ${OVERLAPS} ${order}`,
    );
    statement.setReadBigInts(true);
    return statement.iterate(after, to, ...overlapOf(plan));
  }

  /** The next block after this one, by number, that has documents which are meant; `rowMax`: of those it may have. */
  nextHolding(plan: SearchPlan, afterId: number, rowMax: number): NextHolding {
    const sql = `SELECT ${BLOCK_COLUMNS} FROM blocks b WHERE b.id > ? AND b.row_min <= ? AND ${OVERLAPS} ORDER BY b.id`;
    const statement = this.#database.prepare(sql);
    statement.setReadBigInts(true);
    let lookedAt = 0;
    let lastId = afterId;
    let unreadable = 0;
    for (const row of statement.iterate(afterId, rowMax, ...overlapOf(plan))) {
      if (lookedAt > LOOKED_AT_BYTES) return { block: null, lastId, unreadable };
      lastId = Number(row['id']);
      const block = this.#cache.confined(null, () => blockOf(row));
      if (block === null) unreadable += Number(row['documents']);
      lookedAt += FILTER_BYTES;
      if (block === null || !this.#mayHold(plan, block)) continue;
      lookedAt += block.bytes;
      const holds = this.#cache.read(
        block,
        (reader) => this.meantIn(plan, block, reader, { after: -1, to: rowMax }).length > 0,
      );
      if (holds === null) unreadable += block.documents;
      else if (holds) return { block, lastId, unreadable };
    }
    return { block: null, lastId: -1, unreadable };
  }

  #rows(plan: SearchPlan): Iterable<Record<string, unknown>> {
    const column = plan.byArrival ? 'sequence' : 'time';
    const order = plan.isNewest ? `b.${column}_max DESC` : `b.${column}_min`;
    const { goesOn, edge } = goingOn(plan);
    const statement = this.#database.prepare(
      `SELECT ${BLOCK_COLUMNS} FROM blocks b WHERE ${OVERLAPS} AND ${goesOn} ORDER BY ${order}`,
    );
    statement.setReadBigInts(true);
    return statement.iterate(...overlapOf(plan), edge) as Iterable<Record<string, unknown>>;
  }

  #look(plan: SearchPlan, block: Block, kept: FirstOnes): number {
    if (!this.#mayHold(plan, block)) return FILTER_BYTES;
    this.#cache.read(block, (reader) => {
      for (const candidate of this.#in(plan, block, reader)) kept.add(candidate);
    });
    return FILTER_BYTES + (plan.where.kind === 'all' ? block.documents * KNOWN_BYTES : block.bytes);
  }

  #mayHold(plan: SearchPlan, block: Block): boolean {
    const { origins, where, mayHold: test } = plan;
    const times = { least: block.time.min, greatest: block.time.max };
    const isNamed = origins !== null && origins.size <= ORIGINS_MAX;
    if (where.kind === 'all' && !isNamed) return true;
    const filter = this.#cache.confined(block.id, () => ({ bytes: this.#file.filter(block) }));
    // The filter is damaged, the documents may not be.
    const bytes = filter?.bytes ?? null;
    if (isNamed && bytes !== null && ![...origins].some((origin) => mayHold(bytes, hashOfOrigin(origin)))) return false;
    return test(bytes, times);
  }

  /** What of a block is within bounds, of the right origin, and not ruled out by the columns. */
  *#in(plan: SearchPlan, block: Block, reader: BlockReader, rows: Rows = ALL_ROWS): Generator<Candidate, void, void> {
    const { bounds, ingested, origins, after } = plan;
    const { known } = reader;
    // Nearly always all of a block is within them, and to make and compare a BigInt for each document costs more than
    // all else here.
    const isIngested = isWithin(block.ingested, ingested);
    const isInTime = isWithin(plan.boundsArrival ? block.arrival : block.time, bounds);
    const isInRows = rows.after < block.row.min && block.row.max <= rows.to;
    const within: number[] = [];
    for (let at = 0; at < reader.documents; at++) {
      if (!isInRows && !isBetween(known.row[at] ?? 0, rows)) continue;
      if (origins !== null && !origins.has(known.origin[at] ?? 0)) continue;
      if (!isIngested && !isDuring(known.ingested[at] ?? 0, ingested)) continue;
      if (!isInTime) {
        const time = plan.boundsArrival ? (reader.createdOf(at) ?? reader.timeOf(at)) : reader.timeOf(at);
        if (time < bounds.since || time >= bounds.until) continue;
      }
      within.push(at);
    }
    if (within.length === 0) return;
    const selected = selectRows(plan.where, reader);
    const isExact = selected.isExact && !plan.asksDocument;
    for (const at of within) {
      if (selected.rows[at] !== 1) continue;
      const place = { time: reader.timeOf(at), sequence: known.sequence[at] ?? 0, row: known.row[at] ?? 0 };
      if (after === null || compare(plan, place, after) > 0) yield { ...place, block, at, isExact };
    }
  }
}

const OVERLAPS =
  'CASE WHEN ? THEN b.arrival_max >= ? AND b.arrival_min <= ? ELSE b.time_max >= ? AND b.time_min <= ? END ' +
  'AND b.ingested_max >= ? AND b.ingested_min <= ?';

/** What blocks behind the page before have. */
function goingOn(plan: SearchPlan): { readonly goesOn: string; readonly edge: bigint } {
  const column = plan.byArrival ? 'sequence' : 'time';
  const goesOn = plan.isNewest ? `b.${column}_min <= ?` : `b.${column}_max >= ?`;
  if (plan.after !== null) return { goesOn, edge: firstKey(plan, plan.after) };
  return { goesOn, edge: plan.isNewest ? 2n ** 63n - 1n : -(2n ** 63n) };
}

function overlapOf({ boundsArrival, bounds, ingested }: SearchPlan): (bigint | number)[] {
  const times = [bounds.since, bounds.until - 1n];
  return [boundsArrival ? 1 : 0, ...times, ...times, ingested.since, ingested.until - 1n];
}

export const isWithin = (
  span: { readonly min: bigint; readonly max: bigint },
  { since, until }: SearchPlan['bounds'],
) => span.min >= since && span.max < until;

const isDuring = (ms: number, { since, until }: SearchPlan['bounds']): boolean => ms >= since && ms < until;

const isBetween = (row: number, { after, to }: Rows): boolean => row > after && row <= to;

const edgeOf = ({ byArrival, isNewest }: SearchPlan, { sequence, time }: Block): bigint => {
  const span = byArrival ? sequence : time;
  return isNewest ? span.max : span.min;
};

function parsed(text: string): Record<string, unknown> {
  // `write` took nothing but objects.
  return parseExactJson(text) as Record<string, unknown>;
}
