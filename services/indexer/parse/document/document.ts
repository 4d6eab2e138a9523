// An entry [time, record] → the JSON document of docs/documents.md: the entry's fields are found by position, then
// written in their order. Nothing is decoded that need not be looked at, and nothing is allocated for an event. Here
// are what surrounds the record's fields (time, tag, sequence) and what a batch has; the fields are in
// document-fields.ts.
//
//   writer.startBatch(batch, ingestedMs);
//   writer.write(bytes, start, end, index)      → 'ok' and an item in the bulk body, or why there is none
//
// Guarantees: whatever is in the entry, the document is valid JSON that the template's mapping takes: what a field
// cannot hold goes under `attributes`. An entry that is none, or makes too large a document, leaves nothing behind.

import assert from 'node:assert/strict';
import { FOREIGN_TEXT_INPUT } from '#shared/record/foreign-identity.ts';
import type { Batch } from '#shared/record/record.ts';
import type { BulkBody } from '../../bulk/body.ts';
import { JsonBuffer, fragment } from '../../json/json-buffer.ts';
import { DOCUMENT_LIMITS } from '../../json/value-limits.ts';
import { DocumentFields } from './document-fields.ts';
import { type JoinedMark, LONE_PART } from './joined-mark.ts';
import { CREATED, DOCUMENT_END, NOTHING, TIMESTAMP } from './document-keys.ts';
import type { DocumentOptions } from './document-parts.ts';
import { AttributeNumbers } from '../attribute-numbers.ts';
import { type EntryKind, EntryReader } from './entry-reader.ts';
import { JsonTranscoder } from '../json-value.ts';
import type { KnownLine } from '../known/known-line.ts';
import { KnownLines } from '../known/known-lines.ts';
import { RecordTime } from '../record-time.ts';
import { dataStreamOf } from '../route.ts';
import { timeNames } from '../names.ts';
import { type TimeKind, Timestamp } from '../timestamp.ts';

/** `part`: of a split line, `trace`: of a stack trace, to be joined first; nothing was written. */
export type Written = 'ok' | 'part' | 'trace' | 'entry_malformed' | 'document_too_large';

const COMMA = 0x2c;
/** More than the document of a known line can have. */
const KNOWN_DOCUMENT_BYTES = 256 * 1024;
const NOBODY: ReadonlySet<string> = new Set();
const recordTime = new RecordTime();

export class DocumentWriter {
  readonly #body: BulkBody;
  readonly #json: JsonBuffer;
  /** What was read last, and of a part or a trace what is to be joined. */
  readonly reader: EntryReader;
  readonly #entry: EntryReader['entry'];
  readonly #values: JsonTranscoder;
  readonly #fields: DocumentFields;
  readonly #time = new Timestamp();
  readonly #lineTime = new Timestamp();
  #timeKind: TimeKind = 'now';
  #hasLineTime = false;
  readonly #trusted: ReadonlySet<string>;
  readonly #bytesMax: number;
  readonly #into: string | undefined;
  /** Null where none is looked for. */
  #known: KnownLines | null = null;
  /** What the document was written by; null: the line was read. */
  #knownLine: KnownLine | null = null;

  #batch: Batch | null = null;
  #dataStream = '';
  /** Of batches whose records may have a time of their own: what was posted as JSON or msgpack. Null: of no other. */
  #recordTime: RecordTime | null = null;
  /** `"fluentd":{…},` of the batch. */
  #origin = NOTHING;
  #ingestedMs = NaN;
  /** `"event":{"ingested":…,"sequence":` */
  readonly #event = new JsonBuffer(Buffer.allocUnsafe(128));

  constructor(body: BulkBody, options: DocumentOptions = {}) {
    const { trusted = NOBODY, bytesMax = Infinity, dataStream, traces, listsNumbers = false } = options;
    const { parse = true, keepsOriginal = true, parts, numberFields } = options;
    this.reader = new EntryReader({ traces, parts, parse });
    this.#entry = this.reader.entry;
    this.#body = body;
    this.#trusted = trusted;
    this.#bytesMax = bytesMax;
    this.#into = dataStream;
    this.#json = body.json;
    this.#values = new JsonTranscoder(this.#json, { ...DOCUMENT_LIMITS, bytesMax });
    this.#fields = new DocumentFields(this.#entry, this.#values, { parse, keepsOriginal });
    if (parse && bytesMax >= KNOWN_DOCUMENT_BYTES) this.#known = new KnownLines();
    if (listsNumbers) this.#fields.numbers = new AttributeNumbers(this.#json, numberFields);
  }

  /** Of the document that was written last: the number of its level. */
  get level(): number {
    return this.#knownLine?.level ?? this.#fields.level;
  }

  /**
   * The entries that follow belong to `batch`; cheap, for a batch may have but one.
   * @param ingestedMs since the epoch: becomes `event.ingested`
   */
  startBatch(batch: Batch, ingestedMs: number): void {
    const before = this.#batch;
    const isSame = before?.tag === batch.tag && before.tenant === batch.tenant && before.input === batch.input;
    if (!isSame) {
      const { tenant, tag } = batch;
      const isTrusted = tenant !== null && this.#trusted.has(tenant);
      const fallback = fragment(tenant === null ? '' : `"tenant":{"id":${JSON.stringify(tenant)}},`);
      this.#fields.startBatch(tag, isTrusted, fallback, batch.input === FOREIGN_TEXT_INPUT);
      this.#origin = fragment(`"fluentd":{"tag":${JSON.stringify(tag)}},`);
    }
    this.#batch = batch;
    this.#known?.startBatch(batch);
    this.reader.startBatch(batch);
    this.#recordTime = batch.input === 'http' ? recordTime : null;
    this.#dataStream = this.#into ?? dataStreamOf(batch);
    if (ingestedMs === this.#ingestedMs) return;
    this.#ingestedMs = ingestedMs;
    this.#event.at = 0;
    this.#event.ascii('"event":{"ingested":');
    this.#time.setMs(ingestedMs);
    this.#time.write(this.#event);
    this.#event.ascii(',"sequence":');
  }

  /**
   * Writes the entry in bytes[start, end) as an item of the body.
   * @param index of the entry in its batch, the batch's `first` included
   * @param joined where it was put together already, or nothing is to be joined to it: what is marked in `log`
   */
  write(bytes: Uint8Array, start: number, end: number, index: number, joined: JoinedMark | null = null): Written {
    if (end - start > this.#bytesMax) return 'document_too_large';
    const { reader } = this;
    let mark = joined;
    if (joined === null) {
      const kind = reader.read(bytes, start, end, index);
      if (kind !== 'document') return kind;
      if (reader.isLonePart) mark = LONE_PART;
    } else if (!reader.find(bytes, start, end)) return 'entry_malformed';
    this.#fields.source = null;
    if (mark !== null || !this.#documentAsKnown(index)) this.#documentOnce(index, mark);
    if (this.#values.isTooLarge && (this.#fields.hasLine || reader.isUnwrapped)) {
      // As it came, it may fit: what was read of it must not cost a line its document.
      this.#body.rollback();
      reader.find(bytes, start, end);
      this.#fields.readsLines = false;
      this.#fields.source = null;
      this.#documentOnce(index, mark);
      this.#fields.readsLines = true;
    }
    return this.#finish();
  }

  /** What `write` finds the entry to be; `isUnwrapped`: its line was unwrapped before. */
  kindOf(bytes: Uint8Array, start: number, end: number, index: number, isUnwrapped = false): EntryKind {
    return this.reader.read(bytes, start, end, index, isUnwrapped);
  }

  /**
   * Writes the entry as what no mapping refuses: its time, its record as JSON text in `message`, where it came from,
   * and `log.flags: ["as_text"]`. For an event that the store refused, under the same `_id`.
   */
  writeAsText(bytes: Uint8Array, start: number, end: number, index: number, joined: JoinedMark | null = null): Written {
    if (end - start > this.#bytesMax) return 'document_too_large';
    if (!this.reader.find(bytes, start, end)) return 'entry_malformed';
    this.#values.source(bytes);
    this.#documentAsText(index, joined);
    if (this.#values.rewrites()) {
      this.#startAgain();
      this.#documentAsText(index, joined);
    }
    return this.#finish();
  }

  /** By what is known of a line like this one; false where that is nothing, and nothing was written. */
  #documentAsKnown(index: number): boolean {
    const known = this.#known;
    const entry = this.#entry;
    if (known === null || !known.looksAt(this.reader)) return false;
    if (this.#time.read(entry.bytes, entry.view, entry.timeAt) !== 'instant') return false;
    this.#fields.source = known.source;
    const line = known.find(this.reader);
    if (line === null) {
      if (known.isNew) this.#learn(index, known);
      return known.isNew;
    }
    this.#hasLineTime = line.hasTime;
    if (line.hasTime && !line.readTime(entry.bytes, known.leaves, this.#lineTime)) return false;
    if (line.hasTime && (!this.#lineTime.isNear(this.#time) || this.#lineTime.isUnlikely)) return false;
    this.#values.source(entry.bytes);
    this.#start(index);
    this.#writeTime();
    line.writeFields(this.#json, entry, known.leaves, this.#fields.numbers);
    this.#writeEvent(index);
    line.writeEvent(this.#json, entry, known.leaves);
    this.#knownLine = line;
    return true;
  }

  /** As if nothing were known of the line, which then is. */
  #learn(index: number, known: KnownLines): void {
    this.#values.spans = known.startLearning();
    this.#documentOnce(index, null);
    this.#values.spans = null;
    if (this.#values.isTooLarge || (this.#hasLineTime && this.#lineTime.isUnlikely)) return;
    known.learn(this.reader, this.#fields, this.#json, this.#hasLineTime);
  }

  /** Each key once. */
  #documentOnce(index: number, joined: JoinedMark | null): void {
    this.#knownLine = null;
    this.#values.source(this.reader.bytes);
    this.#document(index, joined);
    if (!this.#values.rewrites()) {
      const { source, marks } = this.#fields;
      if (!this.#values.isTooLarge && !this.#values.hasLongText) source?.learnRest(this.#json, marks);
      return;
    }
    if (this.#values.spans !== null) this.#values.spans.areWhole = false;
    this.#startAgain();
    this.#document(index, joined);
  }

  /** The entry that was read last. */
  #startAgain(): void {
    this.#fields.source = null;
    this.#body.rollback();
    this.reader.findAgain();
  }

  #document(index: number, joined: JoinedMark | null): void {
    this.#start(index);
    this.#fields.gather();
    this.#readLineTime();
    this.#writeTime();
    this.#fields.marks.fields = this.#json.at;
    this.#fields.write(this.#timeKind === 'unfit');
    this.#json.raw(this.#origin);
    this.#fields.writeLog(joined, this.#hasLineTime && this.#lineTime.isUnlikely);
    this.#fields.marks.logEnd = this.#json.at;
    this.#writeEvent(index);
    this.#fields.marks.event = this.#json.at;
    this.#fields.writeEvent();
    this.#json.raw(DOCUMENT_END);
  }

  #documentAsText(index: number, joined: JoinedMark | null): void {
    this.#start(index);
    this.#hasLineTime = false;
    this.#writeTime();
    this.#fields.writeAsText(joined);
    this.#json.raw(this.#origin);
    this.#writeEvent(index);
    this.#json.raw(DOCUMENT_END);
  }

  #start(index: number): void {
    const batch = this.#batch;
    assert(batch !== null, 'startBatch comes first');
    this.#body.start(this.#dataStream, batch, index);
    this.#values.resetLimits();
    this.#timeKind = this.#time.read(this.#values.bytes, this.#values.view, this.#entry.timeAt);
    if (this.#timeKind !== 'instant' && !this.#readRecordTime()) this.#time.setMs(batch.receivedMs);
  }

  /** Reads the line's own time; whether it is that of the document depends on where the other one is from. */
  #readLineTime(): void {
    this.#hasLineTime = false;
    if (!this.#fields.readLineTime(this.#lineTime, recordTime)) return;
    // Where a driver told when a line was written, a time in the line that is further away is another one.
    if (this.#timeKind === 'instant' && !this.#lineTime.isNear(this.#time)) return;
    this.#hasLineTime = true;
    this.#fields.takeLineTime(recordTime);
  }

  #writeTime(): void {
    this.#json.raw(TIMESTAMP);
    (this.#hasLineTime ? this.#lineTime : this.#time).write(this.#json);
    this.#json.byte(COMMA);
  }

  /** Sets the time to the record's own, where the entry has none; false where neither has one. */
  #readRecordTime(): boolean {
    if (this.#recordTime === null || this.#timeKind !== 'now') return false;
    return this.#recordTime.read(this.#entry, this.#entry.root, timeNames, this.#time);
  }

  #writeEvent(index: number): void {
    const out = this.#json;
    out.raw(this.#event);
    out.integer((this.#batch?.seq ?? 0) + index);
    if (!this.#hasLineTime) return;
    out.raw(CREATED);
    this.#time.write(out);
  }

  /** The document is whole, or is given up. */
  #finish(): Written {
    if (this.#values.isTooLarge) {
      this.#body.rollback();
      return 'document_too_large';
    }
    this.#body.end();
    return 'ok';
  }
}
