// What reading the store gives: documents as they are kept, and pages of them.

import { parseExactJson } from '../../exact-json.ts';
import type { StoredDocument, StoreQuery } from '../../store.ts';
import type { SearchPlan } from './search-plan.ts';

export interface Row {
  readonly rowid: number;
  readonly id: string;
  readonly stream: string;
  readonly time: string;
  readonly sequence: number;
  readonly source: string;
}

export interface RowPage {
  readonly rows: readonly Row[];
  /** Of the documents, in characters. */
  readonly bytes: number;
  /** Whether nothing comes after it, apart from the limit. */
  readonly isLast: boolean;
  /** Where to go on, if not after its last row. */
  readonly next?: readonly [time: string, sequence: number, rowid: number];
}

/** What a page was read from. */
export interface Source {
  readonly plan: SearchPlan;
  /** Numbers of the blocks of its documents, and of the last block that there was. */
  readonly blocks: ReadonlySet<number>;
  readonly lastBlock: number;
  /** First key of where it ends; null: there was nothing more. */
  readonly end: bigint | null;
}

/** Documents with numbers behind `after`, up to `to`; Infinity: the last there is. */
export interface Rows {
  readonly after: number;
  readonly to: number;
}

/** A step through documents by number. */
export interface CountStart {
  readonly query: StoreQuery;
  /** Null at the beginning. */
  readonly rows: Rows | null;
  /** Of spans of time that are counted each, whole seconds; null, or absent: without spans. */
  readonly everyMs?: number | null;
}

export interface Counted {
  readonly count: number;
  /** As of SpanCounts; null too where rows of an older store are counted. */
  readonly spans: ReadonlyMap<number, number> | null;
  /** Where the next step goes on; null where nothing is left. */
  readonly next: Rows | null;
}

/** The next documents by number, in this order. */
export interface OrderedRows {
  readonly rows: readonly Row[];
  /** As of Counted. */
  readonly next: Rows | null;
  /** Up to this number there are no others. */
  readonly to: number;
}

export function storedDocument(row: Row): StoredDocument {
  return { id: row.id, index: row.stream, source: parsed(row), sort: sortOf(row) };
}

/** For whoever passes documents on: nothing is parsed before somebody asks for a field. */
export class RowDocument implements StoredDocument {
  readonly id: string;
  readonly index: string;
  readonly sort: StoredDocument['sort'];
  readonly #row: Row;
  #source: StoredDocument['source'] | null = null;

  constructor(row: Row) {
    this.id = row.id;
    this.index = row.stream;
    this.sort = sortOf(row);
    this.#row = row;
  }

  get source(): StoredDocument['source'] {
    return (this.#source ??= parsed(this.#row));
  }

  get text(): string {
    const { source } = this.#row;
    // Between values whoever wrote it may have any space. In strings there is none of these.
    return source.includes('\r') || source.includes('\n') ? source.replaceAll(/[\r\n]/g, ' ') : source;
  }
}

/** indexed-fields.ts took nothing but objects. */
const parsed = ({ source }: Row) => parseExactJson(source) as StoredDocument['source'];

const sortOf = ({ time, sequence, rowid }: Row) => [time, sequence, rowid] as const;
