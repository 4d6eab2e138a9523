// The last lines of a query, oldest first. A store gives documents newest first, so they are buffered until the first
// of them is known. Where they have too many bytes for that, all are dropped but that first one, and read again from
// it on. A stack trace counts as the lines that it was printed as; of one that has too many the last are given.
//
// Guarantees: bounded memory; no document twice. The second reading also has documents that came meanwhile.

import type { ReadableStore, StoredDocument, StoredPage, StoreQuery } from '#shared/store/store.ts';
import { lastLines, printedLines } from '../../output/document-text.ts';

/** As JSON; in memory a document takes some times as much. */
const BUFFERED_BYTES_MAX = 64 * 1024 * 1024;

export interface LastPagesOptions {
  readonly signal: AbortSignal;
  /** Documents are counted, and each is whole. */
  readonly countsDocuments?: boolean;
}

/** `query.limit`: how many of the last lines. */
export async function* lastPages(
  store: ReadableStore,
  query: Omit<StoreQuery, 'order' | 'after'>,
  { signal, countsDocuments = false }: LastPagesOptions,
): AsyncGenerator<StoredPage, void, void> {
  let buffered: StoredPage[] | null = [];
  let bytes = 0;
  let left = query.limit;
  let first: StoredDocument | undefined;
  /** Of the first one. */
  let lines = 0;
  for await (const page of store.pages({ ...query, order: 'newest' }, signal)) {
    const documents: StoredDocument[] = [];
    for (const document of page.documents) {
      if (left <= 0) break;
      first = document;
      lines = left;
      left -= countsDocuments ? 1 : printedLines(document).length;
      documents.push(document);
    }
    bytes += page.bytes;
    if (bytes > BUFFERED_BYTES_MAX) buffered = null;
    buffered?.push({ ...page, documents });
    if (left <= 0) break;
  }
  if (first === undefined) return;
  const { id } = first;
  const cut = (document: StoredDocument): StoredDocument =>
    countsDocuments || document.id !== id ? document : lastLines(document, lines);
  const pages =
    buffered === null
      ? store.pages({ ...query, limit: Infinity, order: 'oldest', after: first.sort.slice(0, 2) }, signal)
      : buffered.toReversed().map((page) => ({ ...page, documents: page.documents.toReversed() }));
  for await (const page of pages) yield { ...page, documents: page.documents.map(cut) };
}
