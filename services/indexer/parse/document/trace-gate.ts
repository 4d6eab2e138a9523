// Which entries go by way of the joiner of traces: those with a line that opens one, and all of a source that has one
// open. Everything else is a document at once. The source of a line is all that its record says beside the text. Pure.

import type { Entry } from '../entry.ts';
import { textEnd, textStart } from '../fields.ts';
import * as names from '../names.ts';
import { NONE } from '../trace/line.ts';
import { openingOf } from '../trace/trace-lines.ts';
import { restOf } from './record-rest.ts';

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
    // Of the pod, the collector may know more from one line to the next; the record has its file.
    const source = restOf(bytes, entry.recordAt, at, entry.isPodMetadata ? 0 : entry.metadataAt);
    if (!opens && !this.#hasOpen?.(source)) return false;
    this.source = source;
    this.lineAt = at;
    return true;
  }
}
