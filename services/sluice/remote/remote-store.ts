// The store of another Sluice, read by its read API: commands find the same in it as in the store itself.
//
// Documents are asked for page by page, each when it is wanted, as of any store: whoever reads slowly holds nothing
// open there. What follows goes by /api/tail (arrivals.ts) where that store knows in which order documents came, and
// else by pages too, as of Elasticsearch itself.

import type { Clock } from '#shared/clock.ts';
import { parseExactJson } from '#shared/store/exact-json.ts';
import { allOf, PAGE_DOCUMENTS } from '#shared/store/pages.ts';
import type { ReadableStore, Store, StoredDocument, StoredPage, StoreQuery } from '#shared/store/store.ts';
import { valueOf } from '../read/wire/row-values.ts';
import { askedJson } from '../read/wire/query-json.ts';
import { stagesJson } from '../read/wire/stages-json.ts';
import type { Searched, TableReader, TablesWanted } from '../search/result-tables.ts';
import type { Table } from '../search/rows.ts';
import { isCounts, type IsForm, isPage, isPageEnd, isRows } from './answer-forms.ts';
import { Arrivals } from './arrivals.ts';
import type { ReadClient } from './read-client.ts';

export interface RemoteStoreOptions {
  readonly client: ReadClient;
  readonly clock: Clock;
  /** Something that whoever searches should know; told once. */
  readonly warn: (message: string) => void;
}

/** It is said at once, where anybody is there. */
const BEGINS_MS = 15_000;

interface Facts {
  readonly store: Store['kind'];
  readonly found_after_ms: number;
}

export class RemoteStore implements Searched, AsyncDisposable {
  /** Absent where that store does not know in which order documents came. */
  readonly arrived?: NonNullable<ReadableStore['arrived']>;
  readonly nextArrival?: NonNullable<ReadableStore['nextArrival']>;
  readonly #options: RemoteStoreOptions;
  readonly #arrivals: Arrivals;
  readonly #warned = new Set<string>();

  private constructor(options: RemoteStoreOptions, kind: Store['kind']) {
    this.#options = options;
    this.#arrivals = new Arrivals(options);
    if (kind !== 'embedded') return;
    this.arrived = (query, after, signal) => this.#arrivals.arrived(query, after, signal);
    this.nextArrival = () => this.#arrivals.nextArrival();
  }

  /** Rejects where it cannot be asked. */
  static async open(options: RemoteStoreOptions, signal?: AbortSignal): Promise<RemoteStore> {
    const { store } = await storeOf(options.client, signal);
    return new RemoteStore(options, store);
  }

  async *pages(query: StoreQuery, signal?: AbortSignal): AsyncGenerator<StoredPage, void, void> {
    const { limit: most, order, after: from, ...asked } = query;
    const json = askedJson(asked);
    let [left, after] = [most, from];
    while (left > 0) {
      const limit = Math.min(left, PAGE_DOCUMENTS);
      const text = await this.#ask('documents', { query: json, order, limit, after }, signal);
      const lines = text.split('\n').slice(0, -1);
      const last = this.#read(lines.pop());
      if (isPage(last) || last === undefined) throw this.#options.client.broken(new Error('its end is missing'));
      const { is_last: isLast, warnings } = this.#formed(last, isPageEnd);
      this.#warn(warnings);
      let found = 0;
      for (const line of lines) {
        const { documents, bytes } = this.#formed(this.#read(line), isPage);
        found += documents.length;
        left -= documents.length;
        after = documents.at(-1)?.sort ?? after;
        yield { documents, bytes };
      }
      if (isLast) return;
      // It would be asked the same for ever.
      if (found === 0) throw this.#options.client.strange('it found nothing, and says that there is more');
    }
  }

  search(query: StoreQuery, signal?: AbortSignal): Promise<StoredDocument[]> {
    return allOf(this.pages(query, signal));
  }

  async counts(
    { order, ...query }: Omit<StoreQuery, 'limit'>,
    everyMs: number | null,
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<number, number> | null> {
    const text = await this.#ask('counts', { query: askedJson(query), order, every_ms: everyMs }, signal);
    const { counts, warnings } = this.#formed(this.#read(text), isCounts);
    this.#warn(warnings);
    return counts && new Map(counts);
  }

  /** The rows are made where the documents are. */
  async table({ query, stages, limit, signal }: TablesWanted, reader: TableReader): Promise<Table> {
    const { order, ...asked } = query;
    const body = { query: askedJson(asked), order, stages: stagesJson(stages), ...(limit !== Infinity && { limit }) };
    const text = await this.#ask('rows', body, signal);
    const { columns, rows, read, told, warnings } = this.#formed(this.#read(text), isRows);
    this.#warn(warnings);
    reader.read(read);
    for (const line of told) reader.warn(line);
    return {
      columns,
      rows: rows.map((row) => Object.fromEntries(columns.map((column, i) => [column, valueOf(row[i] ?? null)]))),
    };
  }

  async foundAfterMs(signal?: AbortSignal): Promise<number> {
    return (await storeOf(this.#options.client, signal)).found_after_ms;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#arrivals[Symbol.dispose]();
    this.#options.client[Symbol.dispose]();
    return Promise.resolve();
  }

  #ask(path: string, body: unknown, signal: AbortSignal | undefined): Promise<string> {
    return this.#options.client.text({ path, body, signal });
  }

  /** Undefined: there is nothing. */
  #read(text: string | undefined): unknown {
    if (text === undefined) return undefined;
    try {
      return parseExactJson(text);
    } catch {
      throw this.#options.client.strange('its answer cannot be read');
    }
  }

  #formed<T>(value: unknown, isForm: IsForm<T>): T {
    if (isForm(value)) return value;
    throw this.#options.client.strange('its answer is none of the read API');
  }

  #warn(warnings: readonly string[]): void {
    for (const line of warnings) {
      if (this.#warned.has(line)) continue;
      this.#warned.add(line);
      this.#options.warn(line);
    }
  }
}

async function storeOf(client: ReadClient, signal: AbortSignal | undefined): Promise<Facts> {
  const text = await client.text({ path: 'store', signal, beginsMs: BEGINS_MS });
  let found: Partial<Facts> | null = null;
  try {
    found = JSON.parse(text) as Partial<Facts> | null;
  } catch {
    // It is told below.
  }
  const { store, found_after_ms } = found ?? {};
  if ((store !== 'embedded' && store !== 'elasticsearch') || typeof found_after_ms !== 'number')
    throw client.strange('its answer is none of the read API');
  return { store, found_after_ms };
}
