// How many documents a query means, by spans of time. A block whose documents are all meant, and all in one span, is
// counted by its row alone; of one that lies over the edge of a span, the times are read; only what is asked of the
// documents themselves opens more.
//
// Guarantees: each document is counted once, whatever is merged meanwhile, for steps go by the numbers of documents; a
// step is bounded.

import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { BlockReader } from '../blocks/decode-block.ts';
import type { Block } from '../tables/block-file.ts';
import type { BlockCache } from '../tables/block-cache.ts';
import { type CandidateSearch, isWithin } from './candidates.ts';
import type { Rows } from './row-page.ts';
import type { SearchPlan } from './search-plan.ts';

export interface SpanCounts {
  /** Of each span, by its beginning in ms since the epoch; all at 0 where there are none. Null: there are too many. */
  readonly spans: Map<number, number> | null;
  /** Documents up to this number are counted. */
  readonly to: number;
}

export const SPANS_MAX = 50_000;
/** Of which a step reads the times at most. */
const STEP_BLOCKS = 512;
const MS_PER_SECOND = 1000;
const NS_PER_MS = 1_000_000n;

export class BlockCounts {
  readonly #search: CandidateSearch;
  readonly #cache: BlockCache;
  readonly #rowBehind: StatementSync;

  constructor(database: DatabaseSync, search: CandidateSearch, cache: BlockCache) {
    this.#search = search;
    this.#cache = cache;
    this.#rowBehind = database.prepare(
      `SELECT min(row_max, ${Number.MAX_SAFE_INTEGER}) AS row FROM blocks WHERE row_max > ? ORDER BY row_max ` +
        `LIMIT 1 OFFSET ${STEP_BLOCKS - 1}`,
    );
  }

  /** Of the next documents by number. `everyMs`: whole seconds; null: without spans. */
  count(plan: SearchPlan, rows: Rows, everyMs: number | null): SpanCounts {
    const to = isAboutAll(plan) ? this.#stepTo(rows) : this.#search.stepTo(plan, rows);
    const some = { after: rows.after, to };
    const spans = new Map<number, number>();
    const add = (span: number, count: number) => spans.set(span, (spans.get(span) ?? 0) + count);
    for (const block of this.#search.blocks(plan, some)) {
      const span = isMeantWhole(plan, block, some) ? spanOfAll(block, everyMs) : null;
      if (span !== null) add(span, block.documents);
      else {
        this.#cache.read(block, (reader) => {
          for (const seconds of this.#secondsIn(plan, block, reader, some)) add(spanAt(seconds, everyMs), 1);
        });
      }
      if (spans.size > SPANS_MAX) return { spans: null, to };
    }
    return { spans, to };
  }

  /** When the documents of the block are that are meant. */
  #secondsIn(plan: SearchPlan, block: Block, reader: BlockReader, rows: Rows): Iterable<number> {
    const { seconds } = reader.known;
    if (isMeantWhole(plan, block, rows)) return seconds;
    return this.#search.meantIn(plan, block, reader, rows).map((at) => seconds[at] ?? 0);
  }

  #stepTo({ after, to }: Rows): number {
    const row = this.#rowBehind.get(after)?.['row'];
    return typeof row === 'number' ? Math.min(row, to) : to;
  }
}

/** Whether nothing is asked but bounds. */
const isAboutAll = ({ where, asksDocument, origins }: SearchPlan): boolean =>
  where.kind === 'all' && !asksDocument && origins === null;

/** Whether the block has no document that is not meant. */
function isMeantWhole(plan: SearchPlan, block: Block, rows: Rows): boolean {
  return (
    isAboutAll(plan) &&
    block.row.min > rows.after &&
    block.row.max <= rows.to &&
    isWithin(plan.boundsArrival ? block.arrival : block.time, plan.bounds) &&
    isWithin(block.ingested, plan.ingested)
  );
}

/** Null where there are several. */
function spanOfAll({ time }: Block, everyMs: number | null): number | null {
  if (everyMs === null) return 0;
  const spanOf = (ns: bigint): number => spanAt(Math.floor(Number(ns / NS_PER_MS) / MS_PER_SECOND), everyMs);
  const first = spanOf(time.min);
  return first === spanOf(time.max) ? first : null;
}

function spanAt(seconds: number, everyMs: number | null): number {
  if (everyMs === null) return 0;
  const ms = seconds * MS_PER_SECOND;
  return ms - (ms % everyMs);
}
