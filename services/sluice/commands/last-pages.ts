// The last documents of a query, oldest first. A store gives them newest first, so they are buffered until the first of
// them is known. Where they have too many bytes for that, all are dropped but that first one, and read again from it
// on.
//
// Guarantees: bounded memory; no document twice. The second reading also has documents that came meanwhile.

import type { Store, StoredDocument, StoredPage, StoreQuery } from '#shared/store/store.ts';

/** As JSON; in memory a document takes some times as much. */
const BUFFERED_BYTES_MAX = 64 * 1024 * 1024;

/** `query.limit`: how many of the last documents. */
export async function* lastPages(
  store: Store,
  query: Omit<StoreQuery, 'order' | 'after'>,
  signal: AbortSignal,
): AsyncGenerator<StoredPage, void, void> {
  let buffered: StoredPage[] | null = [];
  let bytes = 0;
  let first: StoredDocument | undefined;
  for await (const page of store.pages({ ...query, order: 'newest' }, signal)) {
    first = page.documents.at(-1);
    bytes += page.bytes;
    if (bytes > BUFFERED_BYTES_MAX) buffered = null;
    buffered?.push(page);
  }
  if (buffered !== null) {
    for (const page of buffered.toReversed()) yield { ...page, documents: page.documents.toReversed() };
  } else if (first !== undefined) {
    yield* store.pages({ ...query, limit: Infinity, order: 'oldest', after: first.sort.slice(0, 2) }, signal);
  }
}
