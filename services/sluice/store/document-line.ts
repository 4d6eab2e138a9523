// A document as a line of an export, and back. Pure.
//
//   {"_index":"logs-sluice-default","_id":"AZ…","_source":{"@timestamp":"…","message":"…"}}
//
// `_source` is the document's own text, byte for byte: a number keeps its digits, and keys their order. Lines that
// another program has written anew are taken too, in whatever order their keys are.

import { parseExactJson } from '#shared/store/exact-json.ts';
import type { ExportedDocument } from '#shared/store/embedded/inspect/store-files.ts';

/** What the store takes, and so has, is more than Elasticsearch would: all of it comes back. */
const NAME_BYTES_MAX = 64 * 1024;
const KEYS = ['{"_index":', ',"_id":', ',"_source":'] as const;
const BACKSLASH = 0x5c;

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
  if (typeof stream !== 'string' || stream === '' || Buffer.byteLength(stream) > NAME_BYTES_MAX)
    return 'it has no _index that can be taken; give lines of `sluice store export`';
  if (typeof id !== 'string' || id === '' || Buffer.byteLength(id) > NAME_BYTES_MAX)
    return 'it has no _id that can be taken; give lines of `sluice store export`';
  return source === null ? 'it has no _source that is a JSON object' : { id, stream, source };
}

/** Null where something stands behind `_source`, or it is otherwise not ours. */
function asWritten(line: string): { readonly stream: unknown; readonly id: unknown; readonly text: string } | null {
  const [index, name, source] = KEYS;
  if (!line.startsWith(index) || !line.endsWith('}')) return null;
  const streamEnd = endOfString(line, index.length);
  if (streamEnd < 0 || !line.startsWith(name, streamEnd)) return null;
  const idEnd = endOfString(line, streamEnd + name.length);
  if (idEnd < 0 || !line.startsWith(source, idEnd)) return null;
  const text = line.slice(idEnd + source.length, -1);
  const [stream, id] = [line.slice(index.length, streamEnd), line.slice(streamEnd + name.length, idEnd)].map(parsed);
  return isObject(parsed(text)) ? { stream, id, text } : null;
}

/** -1 where none begins here, or it has no end. */
function endOfString(line: string, start: number): number {
  if (line[start] !== '"') return -1;
  for (let at = start + 1; at < line.length; at++) {
    if (line.charCodeAt(at) === BACKSLASH) at += 1;
    else if (line[at] === '"') return at + 1;
  }
  return -1;
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
