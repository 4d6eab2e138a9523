// The fields of a document, in three steps: what the record's text says is read (line/); each field gets its value,
// from the line or from the record; what no field took is written as `attributes` (docs/documents.md). Positions
// stand for values, in the bytes of the record or in those of the line; nothing is copied before it is written. A
// value is taken from its table once, so that no other field has it as well. A step that changes fields, or finds them
// in other bytes, has its place between `gather` and `write`.

import { type JsonBuffer, fragment } from '../../json/json-buffer.ts';
import type { AttributeNumbers } from '../attribute-numbers.ts';
import * as keys from './document-keys.ts';
import type { FieldOptions } from './document-parts.ts';
import { EcsValues } from './ecs-values.ts';
import type { Entry } from '../entry.ts';
import { type JoinedMark, WHOLE_LINE } from './joined-mark.ts';
import { LevelValue } from './level-value.ts';
import type { Line } from '../line/line.ts';
import { LineReader, setHeadTime } from '../line/recognise.ts';
import { isText, textEnd, textStart } from '../fields.ts';
import type { JsonTranscoder } from '../json-value.ts';
import type { KnownSource } from '../known/known-source.ts';
import { Marks } from '../known/marks.ts';
import { MessageValue } from './message-value.ts';
import * as names from '../names.ts';
import { ObjectWriter } from './object-writer.ts';
import { OriginValues } from './origin-values.ts';
import type { RecordTime } from '../record-time.ts';
import { streamNameOf } from '../wrapper/stream-name.ts';
import { ServiceValue } from './service-value.ts';
import { UNITS_ANY, UNITS_ATTRIBUTE, UNITS_KEYWORD } from '../text-length.ts';
import type { Timestamp } from '../timestamp.ts';

const COMMA = 0x2c;
const PRIORITY_INFO = 0x36;
const PRIORITY_ERROR = 0x33;

export class DocumentFields {
  /** Of the attributes, for a store that compares them by it. */
  numbers: AttributeNumbers | null = null;
  /** Where parts of the document that was written last are. */
  readonly marks = new Marks();
  readonly #json: JsonBuffer;
  readonly #entry: Entry;
  readonly #values: JsonTranscoder;
  readonly #object: ObjectWriter;
  readonly options: FieldOptions;
  readonly #lines = new LineReader();
  readonly #ecs: EcsValues;
  readonly #level: LevelValue;
  readonly #message: MessageValue;
  readonly #origin: OriginValues;
  readonly #service: ServiceValue;
  #hasLine = false;
  /** Whether a record of the batch may name its own tenant and service. */
  #isTrusted = false;
  #isUnread = false;
  /** `"tenant":{…},` of the batch. */
  #tenant: JsonBuffer = keys.NOTHING;

  constructor(entry: Entry, values: JsonTranscoder, options: FieldOptions) {
    this.#json = values.json;
    this.#entry = entry;
    this.#values = values;
    this.options = options;
    this.#object = new ObjectWriter(values);
    const { line } = this.#lines;
    const parts = { values, object: this.#object, record: entry, line };
    this.#ecs = new EcsValues(parts);
    this.#level = new LevelValue(parts);
    this.#message = new MessageValue(parts);
    this.#origin = new OriginValues(entry, values, this.#object);
    this.#service = new ServiceValue(parts);
  }

  /** The number of the level that was chosen last. */
  get level(): number {
    return this.#level.number;
  }

  /** `tenant`: what records have that name no other, or may not. `isUnread`: see FOREIGN_TEXT_INPUT. */
  startBatch(tag: string, isTrusted: boolean, tenant: JsonBuffer, isUnread: boolean): void {
    this.#origin.startBatch(tag);
    this.#isUnread = isUnread;
    this.#isTrusted = isTrusted;
    this.#tenant = tenant;
  }

  /** Whether the line of the entry was read. */
  get hasLine(): boolean {
    return this.#hasLine;
  }

  /** The line that was read, where it is JSON and has the message; else null. */
  get jsonLine(): Line | null {
    return this.#hasLine && this.#message.isValueOfLine ? this.#lines.line : null;
  }

  /** False: a line that could be read stays as it came, and its document is marked. */
  readsLines = true;

  /** Of the record of the entry; null where nothing of it is known or to be. */
  source: KnownSource | null = null;
  /** What of the document comes from the record alone; null where it is not known. */
  #rest: JsonBuffer | null = null;

  /** Reads the line of the entry that was found, and chooses values. */
  gather(): void {
    const { root } = this.#entry;
    // What is not in its source's format is kept as it came.
    this.#hasLine = this.readsLines && this.options.parse && !this.#isUnread && this.#readLine();
    this.#message.gather(this.#hasLine);
    this.#level.gather(this.#hasLine);
    this.#ecs.gather(root, this.#hasLine);
    const { line } = this.#lines;
    const hasPlainText = !this.#hasLine || (!line.hasMap && line.fieldsSet.length === 0 && line.hostAt === 0);
    if (!hasPlainText || this.#level.isRewritten) this.source = null;
    this.#rest = this.source?.restOf(this.#level.isOfLine) ?? null;
    if (this.#rest === null) this.#origin.gather();
  }

  /** Sets the time to the line's own; false where it has none. `take`: whether it is among the attributes no more. */
  readLineTime(time: Timestamp, recordTime: RecordTime): boolean {
    if (!this.#hasLine) return false;
    const { line } = this.#lines;
    if (setHeadTime(line, time)) return true;
    return line.hasMap && recordTime.read(line, line.table, names.lineTimeNames, time);
  }

  /** The time that `readLineTime` found is that of the document. */
  takeLineTime(recordTime: RecordTime): void {
    const { line } = this.#lines;
    if (line.time.isKnown) line.takeTime();
    else line.table.take(recordTime.foundIn);
  }

  /** `isTimeUnfit`: the entry's time is none that the document's can be, so that it is kept as an attribute. */
  write(isTimeUnfit: boolean): void {
    const values = this.#values;
    values.use(this.#entry);
    values.textUnitsMax = UNITS_ANY;
    this.#message.write();
    values.textUnitsMax = UNITS_KEYWORD;
    if (this.#rest !== null) return this.#json.raw(this.#rest);
    this.marks.rest = this.#json.at;
    this.#stream();
    this.#host();
    this.#service.write(this.#hasLine, this.#isTrusted);
    this.#origin.write();
    this.#tenantOf();
    this.#ecs.write();
    values.textUnitsMax = UNITS_ATTRIBUTE;
    this.#attributes(isTimeUnfit);
    values.textUnitsMax = UNITS_KEYWORD;
  }

  /** `"log":{…},`: what depends on all that was written before. */
  writeLog(joined: JoinedMark | null, isTimeUnlikely: boolean): void {
    const start = this.#object.open(keys.LOG);
    this.#level.write();
    this.#ecs.writeMembersOf('log');
    const { lines, partial, lineOffsets } = joined ?? WHOLE_LINE;
    if (lines > 1) this.#json.raw(fragment(`"lines":${lines},`));
    if (lineOffsets) this.#json.raw(fragment(`"line_offsets":[${lineOffsets.join()}],`));
    const isUnread = this.#isUnread || !this.readsLines;
    const { hasLongText } = this.#values;
    if (isUnread || lines > 1 || partial || isTimeUnlikely || hasLongText) {
      const flagsStart = this.#object.open(keys.FLAGS);
      if (isUnread) this.#json.raw(keys.UNREAD);
      if (lines > 1) this.#json.raw(keys.MULTILINE);
      if (partial) this.#json.raw(keys.PARTIAL);
      if (isTimeUnlikely) this.#json.raw(keys.UNLIKELY_TIME);
      if (hasLongText) this.#json.raw(keys.LONG_VALUE);
      this.#object.closeList(flagsStart);
    }
    this.#object.close(start);
  }

  /** Members of `event`, each with a comma before it. */
  writeEvent(): void {
    const out = this.#json;
    out.byte(COMMA);
    this.#level.writeSeverity();
    this.#ecs.writeMembersOf('event');
    this.marks.original = out.at;
    if (this.options.keepsOriginal) this.#message.writeOriginal();
    out.at -= 1;
  }

  /** The whole record as one text in `message`, and its tenant. */
  writeAsText(joined: JoinedMark | null): void {
    this.#values.use(this.#entry);
    this.#json.raw(keys.MESSAGE);
    this.#values.valueAsText(this.#entry.recordAt);
    this.#json.raw(this.#isUnread ? keys.UNREAD_AS_TEXT : joined?.partial ? keys.PARTIAL_AS_TEXT : keys.AS_TEXT);
    this.#tenantOf();
  }

  #readLine(): boolean {
    const { root, bytes } = this.#entry;
    const at = root.findText(bytes, names.messageNames);
    return at !== 0 && this.#lines.read(bytes, textStart(bytes, at), textEnd(bytes, at));
  }

  /** The tenant that the record names, if it may; else the batch's. */
  #tenantOf(): void {
    const at = this.#isTrusted ? this.#takeText(names.trustedTenantNames) : 0;
    if (at === 0) {
      this.#json.raw(this.#tenant);
      return;
    }
    const start = this.#object.open(keys.TENANT);
    this.#object.text(keys.ID, at);
    this.#object.close(start);
  }

  #stream(): void {
    const { root, bytes } = this.#entry;
    const at = this.#takeText(names.streamNames);
    if (at !== 0) return this.#object.text(keys.STREAM, at);
    // Docker says `source`; so do others, of other things.
    const sourceAt = root.values[names.SOURCE]!;
    if (sourceAt === 0 || !isText(bytes[sourceAt]!)) return this.#journalStream();
    if (streamNameOf(bytes, textStart(bytes, sourceAt), textEnd(bytes, sourceAt)) === null) return;
    root.take(names.SOURCE);
    this.#object.text(keys.STREAM, sourceAt);
  }

  /** Of a container in the journal: its driver tells the stream by the priority, and programs cannot. */
  #journalStream(): void {
    const { root, bytes } = this.#entry;
    if (root.values[names.JOURNAL_CONTAINER] === 0) return;
    const at = root.values[names.PRIORITY_NAME]!;
    if (at === 0 || !isText(bytes[at]!) || textEnd(bytes, at) !== textStart(bytes, at) + 1) return;
    const priority = bytes[textStart(bytes, at)]!;
    if (priority === PRIORITY_INFO) this.#json.raw(keys.STDOUT);
    else if (priority === PRIORITY_ERROR) this.#json.raw(keys.STDERR);
  }

  /** The host of the record, or of a line where the record has none. */
  #host(): void {
    const at = this.#takeText(names.hostNames);
    const { line } = this.#lines;
    if (at !== 0 || !this.#hasLine || !(line.hasMap || line.hostAt !== 0)) return this.#object.named(keys.HOST, at);
    const lineAt = line.hostAt === 0 ? line.table.takeText(line.bytes, names.hostNames) : line.hostAt;
    this.#values.use(line);
    this.#object.named(keys.HOST, lineAt);
    this.#values.use(this.#entry);
  }

  /** All that no field took. What is ours gives way to a key of the sender's own that has the same name. */
  #attributes(isTimeUnfit: boolean): void {
    const entry = this.#entry;
    const { line } = this.#lines;
    const values = this.#values;
    const start = this.#object.open(keys.ATTRIBUTES);
    this.marks.attributes = start;
    if (isTimeUnfit && !this.#isGiven(names.TIME_NAME)) this.#object.value(keys.TIME, entry.timeAt, 2);
    if (entry.metadataAt !== 0 && !entry.isPodMetadata && !this.#isGiven(names.METADATA_NAME))
      this.#object.value(keys.METADATA, entry.metadataAt, 2);
    const pairs = entry.keys.top + (this.#hasLine ? line.keys.top : 0) + 1;
    const map = values.startMembers(pairs, 2);
    this.#level.writeAttribute();
    if (this.#hasLine && line.hasMap) {
      // What is left of the pod's map has its key.
      if (entry.hasPodAttributes && line.table.values[names.KUBERNETES_NAME] !== 0)
        line.table.take(names.KUBERNETES_NAME);
      values.use(line);
      values.members(line.keys, map);
      values.use(entry);
    }
    // Of a key that both have, the record's stays: who shipped the line said it.
    values.members(entry.keys, map);
    values.endMembers(map);
    if (entry.hasPod) this.#podAttributes();
    this.#object.close(start);
    this.marks.numbers = values.json.at;
    if (!values.isTooLarge) this.numbers?.write(start);
    this.marks.numbersEnd = values.json.at;
  }

  /** Whether the record or the line has a key of this name. */
  #isGiven(name: number): boolean {
    const { line } = this.#lines;
    return this.#entry.root.values[name] !== 0 || (this.#hasLine && line.hasMap && line.table.values[name] !== 0);
  }

  #podAttributes(): void {
    const podStart = this.#object.open(keys.KUBERNETES);
    const map = this.#values.startMembers(this.#entry.podKeys.top, 3);
    this.#values.use(this.#entry.podSource);
    this.#values.members(this.#entry.podKeys, map);
    this.#values.use(this.#entry);
    this.#values.endMembers(map);
    this.#object.close(podStart);
  }

  #takeText(candidates: readonly number[]): number {
    return this.#entry.root.takeText(this.#entry.bytes, candidates);
  }
}
