// What was read of a line: where its human part lies, its level and time, and its fields. Texts stay where they are in
// the line's own bytes; what has to be made (unescaped text, numbers, maps) lies in a buffer of the line's, as msgpack.
// One object serves all lines.

import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { type EcsPath, ecsFields } from '#shared/store/ecs-fields.ts';
import { viewOf } from '../../json/json-buffer.ts';
import { FieldTable, KeyStack, isText, textEnd, textStart } from '../fields.ts';
import type { ValueSource } from '../value-source.ts';
import * as names from '../names.ts';
import { LineTime } from './line-time.ts';
import { COLON, integerOf, isDigit } from './scan.ts';

/** Beyond all positions in an entry. */
const KEYS_BASE = 2 ** 31;
export const CALLER_FILE = fieldNumber('log.origin.file.name');
export const CALLER_LINE = fieldNumber('log.origin.file.line');
const LOGGER = fieldNumber('log.logger');
const NANOS_MAX = 999_999_999;

export class Line implements ValueSource {
  readonly time = new LineTime();
  /** The human part, in the line's bytes; -1 where it is a value of the map, or the whole line. */
  messageStart = -1;
  messageEnd = -1;
  /** Its number (level-words.ts); 0 for none. */
  level = 0;
  /** As it was written, in the line's bytes. */
  levelStart = 0;
  levelEnd = 0;
  /** By a field's number in `ecsFields`: where its value is in `bytes`; 0 for none. */
  readonly fields = new Int32Array(ecsFields.length);
  /** A structured line's pairs. */
  readonly table = new FieldTable(names.recordNames, names.FOUND_FROM);
  readonly keys = new KeyStack();
  /** Where the name of the host is in `bytes`; 0 for none. */
  hostAt = 0;
  /** Whether the human part is that in the line's bytes, whatever the pairs say. */
  hasText = false;
  /** Whether there are pairs. */
  hasMap = false;
  readonly writer = new MsgpackWriter();
  bytes: Uint8Array = new Uint8Array(0);
  view = viewOf(this.bytes);
  readonly base = KEYS_BASE;
  /** Whether the time is in the pairs, as seconds and nanoseconds. */
  #hasInstant = false;
  /** Numbers of the fields that may have a value. */
  readonly fieldsSet: number[] = [];

  get taken(): ReadonlySet<number> {
    return this.table.taken;
  }

  clear(): void {
    this.time.clear();
    this.messageStart = this.messageEnd = -1;
    this.level = 0;
    this.hostAt = 0;
    this.hasText = false;
    this.#hasInstant = false;
    if (this.fieldsSet.length > 0) this.clearFields();
    if (this.hasMap) {
      this.table.clear();
      this.keys.top = 0;
      this.hasMap = false;
    }
    if (this.writer.length > 0) this.writer.reset();
  }

  /** Forgets fields that turned out to be none. */
  clearFields(): void {
    for (const field of this.fieldsSet) this.fields[field] = 0;
    this.fieldsSet.length = 0;
  }

  /** A field is the text in bytes[start, end). */
  setText(field: number, bytes: Uint8Array, start: number, end: number): void {
    this.#place(field);
    this.writer.stringBytes(bytes, start, end);
  }

  /** The host is the text in bytes[start, end). */
  setHost(bytes: Uint8Array, start: number, end: number): void {
    this.hostAt = this.start();
    this.writer.stringBytes(bytes, start, end);
  }

  setInteger(field: number, value: number): void {
    this.#place(field);
    this.writer.integer(value);
  }

  /** The map that was written at `at` has the line's pairs. */
  indexMap(at: number): void {
    this.finish();
    this.hasMap = true;
    this.table.index(this.bytes, at, this.writer.length, this.keys);
    this.#splitCaller();
    this.#nameLogger();
    if (this.table.values[names.INSTANT_SECONDS] !== 0) this.#readInstant();
  }

  /** `caller` is `main.go:12`, as zap and others of Go write it. */
  #splitCaller(): void {
    const at = this.table.values[names.CALLER_NAME]!;
    if (at === 0 || !isText(this.bytes[at]!)) return;
    const start = textStart(this.bytes, at);
    const end = textEnd(this.bytes, at);
    const colon = colonOfCaller(this.bytes, start, end);
    if (colon < 0) return;
    const number = integerOf(this.bytes, colon + 1, end);
    this.table.take(names.CALLER_NAME);
    this.#place(CALLER_FILE);
    this.writer.stringWithin(start, colon);
    this.setInteger(CALLER_LINE, number);
    this.finish();
  }

  /** `name` is a logger's where what is beside it is of Python, bunyan or pino; `target` where that is of Rust. */
  #nameLogger(): void {
    const { values } = this.table;
    const isRusts = values[names.TARGET] !== 0 && names.namesOfRust.some((name) => values[name] !== 0);
    const name = isRusts ? names.TARGET : names.NAME;
    const at = values[name]!;
    if (at === 0 || !isText(this.bytes[at]!)) return;
    const isNodes = names.PROCESS_OF_NODE.every((beside) => values[beside] !== 0);
    if (!isRusts && !isNodes && values[names.LEVEL_OF_PYTHON] === 0) return;
    if (this.fields[LOGGER] !== 0 || names.loggerNames.some((other) => values[other] !== 0)) return;
    this.table.take(name);
    this.fields[LOGGER] = at;
    this.fieldsSet.push(LOGGER);
  }

  /** Seconds and nanoseconds, as log4j's JsonLayout has them. */
  #readInstant(): void {
    const seconds = this.#unsigned(this.table.values[names.INSTANT_SECONDS]!);
    const nanosAt = this.table.values[names.INSTANT_NANOS]!;
    const nanos = nanosAt === 0 ? 0 : this.#unsigned(nanosAt);
    if (!(seconds >= 0 && nanos >= 0 && nanos <= NANOS_MAX)) return;
    this.time.setSeconds(seconds, nanos);
    this.#hasInstant = true;
  }

  /** An integer of 32 bits at most; NaN for anything else. */
  #unsigned(at: number): number {
    const type = this.bytes[at]!;
    if (type < 0x80) return type;
    if (type === 0xcc) return this.view.getUint8(at + 1);
    if (type === 0xcd) return this.view.getUint16(at + 1);
    return type === 0xce ? this.view.getUint32(at + 1) : NaN;
  }

  /** The time that was read is that of the document. */
  takeTime(): void {
    if (!this.#hasInstant) return;
    this.table.take(names.INSTANT_SECONDS);
    if (this.table.values[names.INSTANT_NANOS] !== 0) this.table.take(names.INSTANT_NANOS);
  }

  /** What was written can be read from here on. */
  finish(): void {
    const { buffer } = this.writer;
    if (buffer === this.bytes) return;
    this.bytes = buffer;
    this.view = viewOf(buffer);
  }

  /** Where a value may begin: position 0 means none. */
  start(): number {
    if (this.writer.length === 0) this.writer.nil();
    return this.writer.length;
  }

  #place(field: number): void {
    const isSet = this.fields[field] !== 0;
    this.fields[field] = this.start();
    if (!isSet) this.fieldsSet.push(field);
  }
}

/** Where the colon is in `main.go:12`; -1 where this is no file and line. */
export function colonOfCaller(bytes: Uint8Array, start: number, end: number): number {
  let colon = end - 1;
  while (colon > start && isDigit(bytes[colon]!)) colon -= 1;
  return colon > start && bytes[colon] === COLON && integerOf(bytes, colon + 1, end) >= 0 ? colon : -1;
}

/** The number of a field. */
export function fieldNumber(path: EcsPath): number {
  return ecsFields.findIndex(([known]) => known === path);
}
