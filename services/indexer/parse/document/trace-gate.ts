// Which entries go by way of the joiner of traces: those with a line that opens one, all of a source that has one open,
// and those that were there before and come again. Everything else is a document at once. The source of a line is all
// that its record says beside the text. Pure.

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
  /** Of the entries that follow: whether a source has a trace open; null where none has. */
  hasOpen: ((source: string) => boolean) | null = null;
  /** Whether the one of this index was a line of a trace, and comes again; null where none was. */
  isPassed: ((index: number) => boolean) | null = null;

  /** Whether the entry, which was found in the bytes, goes to the joiner. `index`: in its batch. */
  wants(bytes: Uint8Array, entry: Entry, index: number): boolean {
    const at = entry.root.findText(bytes, names.messageNames);
    if (at === 0) return false;
    const opens = openingOf(bytes, textStart(bytes, at), textEnd(bytes, at)) !== NONE;
    const isOwn = opens || this.isPassed?.(index) === true;
    if (!isOwn && this.hasOpen === null) return false;
    // Of the pod, the collector may know more from one line to the next; the record has its file.
    const source = restOf(bytes, entry.recordAt, at, entry.isPodMetadata ? 0 : entry.metadataAt);
    if (!isOwn && this.hasOpen?.(source) !== true) return false;
    this.source = source;
    this.lineAt = at;
    return true;
  }
}
