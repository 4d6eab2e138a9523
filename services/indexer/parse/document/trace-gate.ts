// Which entries go by way of the joiner of traces: those with a line that opens one, and all of a source that has one
// open. Everything else is a document at once. The source of a line is what tells its output from others with the same
// sender and tag: file, container, stream, host and service. Pure.

import type { Entry } from '../entry.ts';
import { type FieldTable, textEnd, textStart } from '../fields.ts';
import * as names from '../names.ts';
import { NONE } from '../trace/line.ts';
import { openingOf } from '../trace/trace-lines.ts';
import { toldSource } from '../wrapper/line-source.ts';

const SOURCE_NAMES = [
  names.containerIdNames,
  names.containerNames,
  [...names.streamNames, names.SOURCE],
  names.hostNames,
  names.serviceNames,
  names.fileNames,
  // Of the journal: what it tells stdout and stderr by.
  [names.PRIORITY_NAME],
  ...names.podSourceNames,
];

export class TraceGate {
  /** Of the entry that was asked for last, where it is wanted: its source, and where the value with its line is. */
  source = '';
  lineAt = 0;
  #hasOpen: ((source: string) => boolean) | null = null;

  /** Of the entries that follow: whether a source has a trace open; null where none has. */
  watch(hasOpen: ((source: string) => boolean) | null): void {
    this.#hasOpen = hasOpen;
  }

  /** Whether the entry, which was found in the bytes, goes to the joiner. */
  wants(bytes: Uint8Array, entry: Entry): boolean {
    const at = entry.root.findText(bytes, names.messageNames);
    if (at === 0) return false;
    const opens = openingOf(bytes, textStart(bytes, at), textEnd(bytes, at)) !== NONE;
    if (!opens && this.#hasOpen === null) return false;
    const source = sourceOf(bytes, entry);
    if (!opens && !this.#hasOpen?.(source)) return false;
    this.source = source;
    this.lineAt = at;
    return true;
  }
}

function sourceOf(bytes: Uint8Array, { root, pod, hasPod, isPodMetadata, recordAt }: Entry): string {
  // As the joiner of split lines tells files apart.
  let source = toldSource(bytes, recordAt);
  for (const some of SOURCE_NAMES) source += `${textOf(bytes, root, some)}\0`;
  // Of a file that has metadata, the record tells the pod too.
  if (hasPod && !isPodMetadata) for (const some of names.podSources) source += `${textOf(bytes, pod, some)}\0`;
  return source;
}

/** A source has a name of its own in the first bytes, or is one with those that do not differ there. */
const NAME_BYTES_MAX = 256;

function textOf(bytes: Uint8Array, table: FieldTable, some: readonly number[]): string {
  const at = table.findText(bytes, some);
  if (at === 0) return '';
  const start = textStart(bytes, at);
  const end = Math.min(textEnd(bytes, at), start + NAME_BYTES_MAX);
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
}
