// Bulk bodies and documents for tests of the store, made the plain way.

import type { BulkItem, BulkRequest } from '#shared/store/store.ts';

export interface TestDocument {
  readonly id: string;
  readonly index: string;
  /** Anything that is to be sent as a document; a string goes as it is. */
  readonly document: Record<string, unknown> | string;
}

/** `_id` of event `index` of the batch that `batch` (a number) stands for. */
export function testId(batch: number, index: number): string {
  return `${batch.toString(16).padStart(32, '0')}-${index}`;
}

export function bulkRequest(documents: readonly TestDocument[]): BulkRequest {
  const items: BulkItem[] = [];
  const lines: Buffer[] = [];
  let at = 0;
  for (const { id, index, document } of documents) {
    const action = Buffer.from(`${JSON.stringify({ create: { _index: index, _id: id } })}\n`);
    const json = Buffer.from(typeof document === 'string' ? document : JSON.stringify(document));
    const docStart = at + action.length;
    items.push({ index, id, actionStart: at, docStart, docEnd: docStart + json.length });
    lines.push(action, json, Buffer.from('\n'));
    at = docStart + json.length + 1;
  }
  return { body: Buffer.concat(lines), items };
}
