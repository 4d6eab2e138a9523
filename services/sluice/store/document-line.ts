// A document as a line of an export, and back. Pure.
//
//   {"_index":"logs-sluice-default","_id":"AZ…","_source":{"@timestamp":"…","message":"…"}}
//
// `_source` is the document's own text, byte for byte: a number keeps its digits, and keys their order. Lines that
// another program has written anew are taken too, in whatever order their keys are.

import { parseExactJson } from '#shared/store/exact-json.ts';
import type { ExportedDocument } from '#shared/store/embedded/inspect/store-files.ts';

const STREAM_MAX = 255;
const ID_MAX = 512;
/** Bounded: an expression without an end takes too much of the stack for a long text. */
const LINE = /^\{"_index":("(?:[^"\\]|\\.){1,1024}"),"_id":("(?:[^"\\]|\\.){1,1024}"),"_source":(?=\{)/;

export function documentLine({ id, stream, source }: ExportedDocument): string {
  return `{"_index":${JSON.stringify(stream)},"_id":${JSON.stringify(id)},"_source":${source}}\n`;
}

/** What is wrong with it as a string. `line`: without its end. */
export function documentOf(line: string): ExportedDocument | string {
  const own = asWritten(line);
  if (own !== null) return named(own, own.text);
  const value = parsed(line);
  if (!isObject(value)) return value === undefined ? 'it is no JSON' : 'it is no JSON object';
  const { _index: stream, _id: id, _source: source } = value;
  return named({ stream, id }, isObject(source) ? JSON.stringify(source) : null);
}

/** `source`: null where there is none. */
function named(
  { stream, id }: { readonly stream: unknown; readonly id: unknown },
  source: string | null,
): ExportedDocument | string {
  if (typeof stream !== 'string' || stream === '' || stream.length > STREAM_MAX)
    return 'it has no _index that can be taken; give lines of `sluice store export`';
  if (typeof id !== 'string' || id === '' || Buffer.byteLength(id) > ID_MAX)
    return 'it has no _id that can be taken; give lines of `sluice store export`';
  return source === null ? 'it has no _source that is a JSON object' : { id, stream, source };
}

/** Null where something stands behind `_source`, or it is otherwise not ours. */
function asWritten(line: string): { readonly stream: unknown; readonly id: unknown; readonly text: string } | null {
  const [head, stream, id] = LINE.exec(line) ?? [];
  if (head === undefined || stream === undefined || id === undefined || !line.endsWith('}')) return null;
  const text = line.slice(head.length, -1);
  return isObject(parsed(text)) ? { stream: parsed(stream), id: parsed(id), text } : null;
}

/** Undefined where it is no JSON. */
function parsed(text: string): unknown {
  try {
    return parseExactJson(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
