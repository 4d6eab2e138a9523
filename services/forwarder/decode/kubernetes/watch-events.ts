// What a watch of the Kubernetes API says, a JSON object a line. Pure.
//
//   {"type":"ADDED","object":{"kind":"Pod","metadata":{"resourceVersion":"11",…},…}}
//   {"type":"BOOKMARK","object":{"kind":"Pod","metadata":{"resourceVersion":"12"}}}
//   {"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired",…}}
//
// Form: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
//
// Guarantees: total and linear; no more than a line is kept, and none that is too long. A line without its end says
// nothing: whoever watches again from the last version gets it whole.

import { ITEM_BYTES_MAX } from './list-items.ts';

export type WatchEvent =
  | { readonly type: 'put' | 'removed' | 'bookmark'; readonly version: string; readonly object: unknown }
  | { readonly type: 'error'; readonly code: number; readonly message: string };

const LINE_FEED = 0x0a;

export class WatchLines {
  #parts: Buffer[] = [];
  #length = 0;

  /** The lines that end in these bytes; null: one is too long. */
  push(bytes: Buffer): string[] | null {
    const lines: string[] = [];
    let from = 0;
    for (let feed = bytes.indexOf(LINE_FEED); feed >= 0; feed = bytes.indexOf(LINE_FEED, from)) {
      if (this.#length + feed - from > ITEM_BYTES_MAX) return null;
      this.#parts.push(bytes.subarray(from, feed));
      lines.push(Buffer.concat(this.#parts).toString());
      this.#parts = [];
      this.#length = 0;
      from = feed + 1;
    }
    this.#length += bytes.length - from;
    if (this.#length > ITEM_BYTES_MAX) return null;
    if (from < bytes.length) this.#parts.push(Buffer.from(bytes.subarray(from)));
    return lines;
  }
}

const TYPES: Readonly<Record<string, 'put' | 'removed' | 'bookmark'>> = {
  ADDED: 'put',
  MODIFIED: 'put',
  DELETED: 'removed',
  BOOKMARK: 'bookmark',
};

/** Null for what is none. A type that is not known says no more than its version. */
export function watchEventOf(line: string): WatchEvent | null {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch {
    return null;
  }
  if (!isMap(event) || !isMap(event['object']) || typeof event['type'] !== 'string') return null;
  const { type, object } = event;
  if (type === 'ERROR') {
    const { code, message } = object;
    return {
      type: 'error',
      code: typeof code === 'number' ? code : 0,
      message: typeof message === 'string' ? message : '',
    };
  }
  const metadata = object['metadata'];
  const version = isMap(metadata) ? metadata['resourceVersion'] : null;
  if (typeof version !== 'string' || version === '') return null;
  return { type: Object.hasOwn(TYPES, type) ? (TYPES[type] ?? 'bookmark') : 'bookmark', version, object };
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
