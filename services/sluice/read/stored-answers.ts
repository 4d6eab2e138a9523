// What the read API answers to `sluice` itself: documents with their ids and places, as the store gives them, so that a
// command finds the same by it as in the store. Bounded as answers.ts is: a page has the documents and bytes of a page
// of the store, and its asker goes on behind it.
//
// Guarantee: an answer that was broken off is told from a whole one: of pages the last line says that it is.

import { PAGE_BYTES } from '#shared/store/pages.ts';
import { wholeTable } from '../search/result-tables.ts';
import { VERSION } from '../process/version.ts';
import type { CountsRequest, DocumentsRequest, RowsRequest, StoredRequest } from './request.ts';
import type { ReadSource } from './tail-events.ts';
import { documentJson } from './wire/document-json.ts';
import { valueJson } from './wire/row-values.ts';

type Texts = AsyncGenerator<string, void, void>;

/** What the log of the process says more of. */
export const DAMAGED = 'a part of the store cannot be read: there may be more; the log of the process says which';

export function storedAnswer(source: ReadSource, request: StoredRequest, signal: AbortSignal): Texts {
  switch (request.kind) {
    case 'store':
      return storeAnswer(source, signal);
    case 'documents':
      return pagesAnswer(source, request, signal);
    case 'counts':
      return countsAnswer(source, request, signal);
    case 'rows':
      return rowsAnswer(source, request, signal);
  }
}

async function* storeAnswer({ kind, foundAfterMs }: ReadSource, signal: AbortSignal): Texts {
  yield `${JSON.stringify({ store: kind, version: VERSION, found_after_ms: await foundAfterMs(signal) })}\n`;
}

/** A page of the store a line. More than one where they are small: whoever looks for what is rare asks once. */
async function* pagesAnswer(source: ReadSource, { query }: DocumentsRequest, signal: AbortSignal): Texts {
  let [found, bytes] = [0, 0];
  for await (const page of source.store.pages(query, signal)) {
    let before = '{"documents":[';
    for (const document of page.documents) {
      yield `${before}${documentJson(document)}`;
      before = ',';
    }
    yield `],"bytes":${page.bytes}}\n`;
    found += page.documents.length;
    bytes += page.bytes;
    if (bytes >= PAGE_BYTES) break;
  }
  const isLast = found < query.limit && bytes < PAGE_BYTES;
  yield `${JSON.stringify({ is_last: isLast, warnings: warningsOf(source) })}\n`;
}

async function* countsAnswer(source: ReadSource, { query, everyMs }: CountsRequest, signal: AbortSignal): Texts {
  const counts = (await source.store.counts?.(query, everyMs, signal)) ?? null;
  yield `${JSON.stringify({ counts: counts && [...counts], warnings: warningsOf(source) })}\n`;
}

async function* rowsAnswer(source: ReadSource, { query, stages, limit }: RowsRequest, signal: AbortSignal): Texts {
  using share = source.memory.take();
  let read = 0;
  const told: string[] = [];
  const reader = {
    isGone: false,
    read: (documents: number) => void (read += documents),
    warn: (line: string) => void told.push(line),
  };
  const wanted = { store: source.store, query, stages, limit, signal, memoryBytes: share.bytes };
  const { columns, rows } = await wholeTable(wanted, reader);
  yield `{"columns":${JSON.stringify(columns)},"rows":[`;
  for (const [i, row] of rows.entries())
    yield `${i === 0 ? '' : ','}${JSON.stringify(columns.map((column) => valueJson(row[column] ?? null)))}`;
  yield `],${JSON.stringify({ read, told, warnings: warningsOf(source) }).slice(1)}\n`;
}

const warningsOf = ({ isDamaged }: ReadSource): string[] => (isDamaged() ? [DAMAGED] : []);
