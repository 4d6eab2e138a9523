// The first rows in an order, of rows that come one by one in any order: at most so many, and as many of those as
// their values leave memory for. Pure.
//
// Guarantees: no more than twice the limit of rows, or the limit of bytes and a row, is held; what is left is the
// beginning of the order, without a gap.

import type { SortKey } from '#shared/store/query/stages.ts';
import type { Row } from './aggregate.ts';
import { compareRows } from './rows.ts';

export interface FirstRowsOptions {
  readonly keys: readonly SortKey[];
  readonly rowsMax: number;
  /** Of values as text, in UTF-16 units. */
  readonly bytesMax: number;
}

/** Before they are put in order again. */
const ROWS_MORE = 1000;
/** After a cut, of the limit: else each row that comes would be another cut. */
const KEPT_SHARE = 0.75;
/** What a row costs beside its values. */
const ROW_OVERHEAD_BYTES = 64;

interface Held {
  readonly row: Row;
  readonly bytes: number;
}

export class FirstRows {
  readonly #options: FirstRowsOptions;
  #held: Held[] = [];
  #bytes = 0;
  /** Nothing from here on is kept: something before it was dropped for its bytes. */
  #bound: Row | null = null;
  #dropped = 0;

  constructor(options: FirstRowsOptions) {
    this.#options = options;
  }

  /** Rows that were dropped so far. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Whether rows were dropped because of what their values take. */
  get isCutByBytes(): boolean {
    return this.#bound !== null;
  }

  add(row: Row): void {
    const { keys, rowsMax, bytesMax } = this.#options;
    if (this.#bound !== null && compareRows(row, this.#bound, keys) >= 0) {
      this.#dropped += 1;
      return;
    }
    const bytes = bytesOf(row);
    this.#held.push({ row, bytes });
    this.#bytes += bytes;
    if (this.#held.length > 2 * rowsMax + ROWS_MORE || this.#bytes > bytesMax) this.#cut();
  }

  /** In their order. */
  rows(): Row[] {
    this.#cut();
    return this.#held.map(({ row }) => row);
  }

  #cut(): void {
    const { keys, rowsMax, bytesMax } = this.#options;
    this.#held.sort((a, b) => compareRows(a.row, b.row, keys));
    this.#keep(rowsMax);
    if (this.#bytes <= bytesMax) return;
    let bytes = 0;
    const end = this.#held.findIndex((held) => (bytes += held.bytes) > KEPT_SHARE * bytesMax);
    // One alone is kept, whatever it takes.
    const kept = Math.max(1, end);
    this.#bound = this.#held[kept]?.row ?? this.#bound;
    this.#keep(kept);
  }

  #keep(count: number): void {
    for (const { bytes } of this.#held.splice(count)) {
      this.#bytes -= bytes;
      this.#dropped += 1;
    }
  }
}

function bytesOf(row: Row): number {
  return Object.values(row).reduce<number>((sum, value) => sum + String(value).length, ROW_OVERHEAD_BYTES);
}
