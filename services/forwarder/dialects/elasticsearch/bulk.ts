// The body of Elasticsearch's `_bulk` to entries
// (https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk).
//
//   {"create":{"_index":"logs-app","_id":"7"}}⏎{"message":"a"}⏎
//   {"index":{}}⏎{"message":"b"}⏎        the index is in the URL
//   {"delete":{"_id":"7"}}⏎               refused, item by item; so is update, whose next line is passed over
//
// Items without an id go together, by their index; each item with one stands alone, so that its id names it whatever
// other items come with it the next time. A document that is broken costs its item; a broken action line costs the
// request.
//
// Guarantees: linear in the body; items of every kind, and indexes, are bounded; no object is kept for an item
// (bulk-table.ts).

import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { contentOf } from '../../decode/content-name.ts';
import { type EventTime, RECEIVE_TIME } from '#shared/record/event-time.ts';
import { JsonReader } from '#shared/json/json-value.ts';
import { EntryBuilder } from '#shared/otlp/entry-builder.ts';
import { BulkActions } from './bulk-actions.ts';
import type { BulkAction, BulkRefusal, BulkTable } from './bulk-table.ts';
import { BulkTableWriter } from './bulk-table-writer.ts';
import { DocumentFields } from './document.ts';

export type Bulk =
  | { readonly kind: 'items'; readonly table: BulkTable }
  /** `line`: counted from 1. */
  | { readonly kind: 'malformed'; readonly line: number; readonly why: string }
  | { readonly kind: 'too_large'; readonly why: string };

export interface BulkOptions {
  /** The index in the URL; null if it names none. */
  readonly index: string | null;
  /** Time of the documents that have none, if they have no id either. */
  readonly time: EventTime;
  /** Most bytes of the entries. */
  readonly bytesMax: number;
}

/** An item costs more than its bytes: its answer, its settlement. */
const ITEMS_MAX = 100_000;
/**
 * Of those with an id: each is handed over for itself. As many as an 8 MiB chunk of Fluentd has with 160 bytes each;
 * most senders send some thousands.
 */
const ALONE_MAX = 50_000;
/** Of items without an id: each has a buffer, a chunk and a tag of its own. */
const INDEXES_MAX = 1000;
const ACTION_BYTES_MAX = 16 * 1024;
/** There may be as many groups as items. */
const GROUP_BYTES_FIRST = 256;
const LINE_FEED = 0x0a;
const OPEN_OBJECT = 0x7b;

export function bulkItems(body: Buffer, options: BulkOptions): Bulk {
  const lines = new Lines(body);
  const walk = new BulkWalk(body, options);
  const actions = new BulkActions(options.index);
  while (lines.next()) {
    if (lines.isBlank) continue;
    const action = actions.of(body.subarray(lines.start, Math.min(lines.end, lines.start + ACTION_BYTES_MAX)));
    if (typeof action === 'string') return { kind: 'malformed', line: lines.number, why: action };
    if (action.operation === 'delete') {
      walk.refuse(action, NO_DELETE);
    } else {
      if (!lines.next()) return { kind: 'malformed', line: lines.number, why: 'it ends where a document is missing' };
      walk.take(action, lines.start, lines.end);
    }
    const { tooMuch } = walk;
    if (tooMuch !== null) return { kind: 'too_large', why: tooMuch };
  }
  return walk.done();
}

class BulkWalk {
  readonly #body: Buffer;
  readonly #options: BulkOptions;
  readonly #table = new BulkTableWriter();
  /** By index, for items without an id: the number of their group, and its entries. */
  readonly #ofIndex = new Map<string, { readonly number: number; readonly entries: EntryBuilder }>();
  readonly #named: EntryBuilder;
  readonly #scratch = new MsgpackWriter();
  readonly #reader: JsonReader;
  readonly #document = new DocumentFields();
  #bytes = 0;

  constructor(body: Buffer, options: BulkOptions) {
    this.#body = body;
    this.#options = options;
    this.#reader = new JsonReader(this.#scratch, options.bytesMax);
    this.#named = new EntryBuilder(GROUP_BYTES_FIRST, options.bytesMax);
  }

  /** Why nothing more is taken; null while there is no reason. */
  get tooMuch(): string | null {
    if (this.#bytes > this.#options.bytesMax) return `they are more than ${this.#options.bytesMax} bytes`;
    if (this.#table.length > ITEMS_MAX) return `they are more than ${ITEMS_MAX} items`;
    if (this.#table.aloneCount > ALONE_MAX) return `they are more than ${ALONE_MAX} items with an id`;
    return this.#ofIndex.size > INDEXES_MAX ? `they are of more than ${INDEXES_MAX} indexes` : null;
  }

  refuse(action: BulkAction, refusal: BulkRefusal): void {
    this.#table.refused(action, refusal);
  }

  /** The document in body[start, end). */
  take(action: BulkAction, start: number, end: number): void {
    if (action.operation === 'update') {
      this.refuse(action, NO_UPDATE);
      return;
    }
    const reader = this.#reader;
    this.#scratch.reset();
    reader.setText(this.#body, start, end);
    const why = this.#whyNoObject();
    if (why !== null) {
      if (reader.problem.isTooLarge) this.#bytes = Infinity;
      this.refuse(action, unreadable(why));
      return;
    }
    this.#document.take(this.#scratch.view());
    // A large one is not held a third time.
    this.#scratch.reset();
    this.#add(action, start, end);
  }

  done(): Bulk {
    const ofIndexes = Array.from(this.#ofIndex.values(), ({ number, entries }) => ({
      number,
      entries: entries.bytes,
      count: entries.count,
    }));
    return { kind: 'items', table: this.#table.done(this.#named.bytes, ofIndexes) };
  }

  /** Reads the object that the reader stands at; null if it is one and nothing follows. */
  #whyNoObject(): string | null {
    const reader = this.#reader;
    if (reader.skipSpace() !== OPEN_OBJECT) return 'it has to be an object';
    if (!reader.object(0)) return reader.problem.why;
    return reader.skipSpace() < 0 ? null : 'there is more after it';
  }

  /** The document came in body[from, to). */
  #add(action: BulkAction, from: number, to: number): void {
    const { pairs, time } = this.#document;
    const { id, index } = action;
    const ofIndex = id === null ? this.#groupOfIndex(index) : null;
    const entries = ofIndex?.entries ?? this.#named;
    const start = entries.length;
    // With an id the same item may come again, and has to be the same then.
    entries.add(time ?? (id === null ? this.#options.time : RECEIVE_TIME), pairs);
    if (entries.tooLarge) this.#bytes = Infinity;
    this.#bytes += entries.length - start;
    if (ofIndex) this.#table.taken(action, ofIndex.number);
    else this.#table.takenAlone(action, contentOf(this.#body.subarray(from, to)), entries.length);
  }

  #groupOfIndex(index: string): { readonly number: number; readonly entries: EntryBuilder } {
    let known = this.#ofIndex.get(index);
    if (known === undefined) {
      known = {
        number: this.#table.groupOfIndex(index),
        entries: new EntryBuilder(GROUP_BYTES_FIRST, this.#options.bytesMax),
      };
      this.#ofIndex.set(index, known);
    }
    return known;
  }
}

/** Goes through the lines of a body; the last one may lack its end. */
class Lines {
  start = 0;
  end = 0;
  number = 0;
  #next = 0;
  readonly #body: Buffer;

  constructor(body: Buffer) {
    this.#body = body;
  }

  next(): boolean {
    if (this.#next >= this.#body.length) return false;
    this.start = this.#next;
    const feed = this.#body.indexOf(LINE_FEED, this.start);
    this.end = feed < 0 ? this.#body.length : feed;
    this.#next = this.end + 1;
    this.number += 1;
    return true;
  }

  get isBlank(): boolean {
    for (let at = this.start; at < this.end; at += 1) if ((this.#body[at] ?? 0) > 0x20) return false;
    return true;
  }
}

const NO_DELETE = refusalOf('delete is not supported: documents are only added');
const NO_UPDATE = refusalOf('update is not supported: documents are only added');

/** Refusals by what is wrong, which is one of a few sentences: a million broken documents share them. */
const unreadables = new Map<string, BulkRefusal>();

function unreadable(why: string): BulkRefusal {
  let refusal = unreadables.get(why);
  if (!refusal) {
    refusal = { status: 400, type: 'document_parsing_exception', reason: `Cannot read the document: ${why}` };
    unreadables.set(why, refusal);
  }
  return refusal;
}

function refusalOf(reason: string): BulkRefusal {
  return { status: 400, type: 'illegal_argument_exception', reason };
}
