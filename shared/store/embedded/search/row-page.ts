// What reading the store gives: documents as they are kept, and pages of them.

import { parseExactJson } from '../../exact-json.ts';
import type { StoredDocument } from '../../store.ts';
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

/** Documents with numbers behind `after`, up to `to`. */
export interface Rows {
  readonly after: number;
  readonly to: number;
}

export function storedDocument(row: Row): StoredDocument {
  // indexed-fields.ts took nothing but objects.
  const source = parseExactJson(row.source) as Record<string, unknown>;
  return { id: row.id, index: row.stream, source, sort: [row.time, row.sequence, row.rowid] };
}
