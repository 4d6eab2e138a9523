// Pages of a search, one after another, each from where the one before ended. Bounded by documents here, and by bytes
// by whoever reads one: a page ends early where its documents are large, so a short page says nothing about whether
// there are more.

import type { StoredDocument, StoredPage, StoreQuery } from './store.ts';

/** Of one page, however small they are. */
export const PAGE_DOCUMENTS = 1000;

/** What one page should have at most; one document may have more. A few of them are held at once on their way. */
export const PAGE_BYTES = 8 * 1024 * 1024;

export interface ReadPage extends StoredPage {
  /** Whether nothing comes after it, apart from the limit. */
  readonly isLast: boolean;
  /** Where to go on, if not after its last document: it may have none, for those that it looked at were not meant. */
  readonly next?: StoredDocument['sort'] | undefined;
}

/** `read`: the first documents of a query, at most its `limit`; at least one, or `next`, where there is any. */
export async function* pagesOf(
  query: StoreQuery,
  read: (query: StoreQuery) => Promise<ReadPage>,
): AsyncGenerator<StoredPage, void, void> {
  let left = query.limit;
  let after = query.after;
  while (left > 0) {
    const limit = Math.min(left, PAGE_DOCUMENTS);
    const page = await read({ ...query, limit, ...(after === undefined ? {} : { after }) });
    const next = page.next ?? page.documents.at(-1)?.sort;
    if (next === undefined) return;
    if (page.documents.length > 0) yield page;
    if (page.isLast) return;
    left -= page.documents.length;
    after = next;
  }
}

/** The documents of all pages. */
export async function allOf(pages: AsyncIterable<StoredPage>): Promise<StoredDocument[]> {
  const found: StoredDocument[] = [];
  for await (const { documents } of pages) for (const document of documents) found.push(document);
  return found;
}
