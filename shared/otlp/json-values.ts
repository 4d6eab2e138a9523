// The values of OTLP in JSON, AnyValue and KeyValue, to msgpack.
//
//   AnyValue   {"stringValue":"a"}   {"arrayValue":{"values":[AnyValue, …]}}   {"kvlistValue":{"values":[KeyValue, …]}}
//   KeyValue   {"key":"a","value":AnyValue}
//
// Guarantees: linear in what a value has, however deep it nests, but for a KeyValue whose value comes before its key:
// that is passed over once more on each level. The JSON reader has bounded the depth.

import type { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { isNumber } from '#shared/msgpack/extents.ts';
import { FIELD, isValueKind } from './json-names.ts';
import { EMPTY, type JsonPlaces, type Take } from './json-places.ts';

/** Writes a key; returns where its value is to be written. */
export type WriterOf = (key: Buffer) => MsgpackWriter;

/** The methods return where what they took ends. */
export class JsonValues {
  readonly #places: JsonPlaces;
  /** Of the lists in work, which nest in one value. */
  #listWriter: MsgpackWriter | null = null;
  // Made once: each of a million lists would have its own.
  readonly #mapWriter: WriterOf = (key) => {
    const writer = this.#writerOfList();
    writer.stringBytes(key);
    return writer;
  };
  readonly #takePair: Take = (at) => this.pair(at, this.#mapWriter);
  readonly #takeValue: Take = (at) => this.value(at, this.#writerOfList());

  constructor(places: JsonPlaces) {
    this.#places = places;
  }

  /** A KeyValue; of several keys or values in it the last one counts. */
  pair(at: number, writerOf: WriterOf): number {
    const places = this.#places;
    let key: Buffer = EMPTY;
    let hasKey = false;
    let valueAt = -1;
    let left = places.membersAt(at);
    let next = left < 0 ? places.endOf(at) : places.inside(at);
    for (; left > 0; left -= 1) {
      const nameAt = next;
      next = places.endOf(nameAt);
      const field = places.fieldIn(nameAt, next);
      if (field === FIELD.key) {
        key = places.textAt(next, 'key');
        hasKey = true;
      } else if (field === FIELD.value) {
        // As it is usually written: what is inside need not be passed over first.
        if (left === 1 && hasKey) return this.#valueOrNull(next, writerOf(key));
        valueAt = next;
      }
      next = places.endOf(next);
    }
    const writer = writerOf(key);
    if (valueAt < 0) writer.nil();
    else this.#valueOrNull(valueAt, writer);
    return next;
  }

  /** An AnyValue; of several values in it the last one counts. */
  value(at: number, writer: MsgpackWriter): number {
    const places = this.#places;
    const start = writer.length;
    let left = places.membersAt(at);
    let next = left < 0 ? places.endOf(at) : places.inside(at);
    for (; left > 0; left -= 1) {
      const nameAt = next;
      next = places.endOf(nameAt);
      const kind = places.fieldIn(nameAt, next);
      if (!isValueKind(kind) || places.isNull(next)) {
        next = places.endOf(next);
        continue;
      }
      writer.truncate(start);
      next = this.#write(kind, next, writer);
    }
    if (writer.length === start) writer.nil();
    return next;
  }

  #valueOrNull(at: number, writer: MsgpackWriter): number {
    if (!this.#places.isNull(at)) return this.value(at, writer);
    writer.nil();
    return at + 1;
  }

  #write(kind: number, at: number, writer: MsgpackWriter): number {
    const places = this.#places;
    if (kind === FIELD.arrayValue || kind === FIELD.kvlistValue) return this.#list(kind, at, writer);
    const end = places.endOf(at);
    if (kind === FIELD.stringValue) this.#text(at, end, writer);
    else if (kind === FIELD.boolValue) this.#boolean(at, writer);
    else if (kind === FIELD.intValue) writer.integer(places.integerAt(at, 'intValue'));
    else if (kind === FIELD.doubleValue) this.#double(at, end, writer);
    else writer.binary(Buffer.from(places.textAt(at, 'bytesValue').toString('latin1'), 'base64'));
    return end;
  }

  #text(at: number, end: number, writer: MsgpackWriter): void {
    const start = this.#places.textStart(at);
    if (start < 0) this.#places.note('its stringValue is no string');
    else writer.stringBytes(this.#places.bytes, start, end);
  }

  #boolean(at: number, writer: MsgpackWriter): void {
    const value = this.#places.reader(at).boolean();
    if (value === undefined) this.#places.note('its boolValue is neither true nor false');
    writer.boolean(value ?? false);
  }

  /** A number as it is; a text such as "NaN" as the number that it names. */
  #double(at: number, end: number, writer: MsgpackWriter): void {
    const { bytes } = this.#places;
    const text = this.#places.reader(at).string();
    if (text === undefined) {
      if (!isNumber(bytes[at] ?? 0)) this.#places.note('its doubleValue is no number');
      writer.raw(bytes, at, end);
      return;
    }
    const value = Number(text);
    if (text === '' || (Number.isNaN(value) && text !== 'NaN')) this.#places.note('its doubleValue is no number');
    writer.float(value);
  }

  /** What is in the `values` of an ArrayValue or a KeyValueList; of several lists in it the last one counts. */
  #list(kind: number, at: number, writer: MsgpackWriter): number {
    const places = this.#places;
    const isMap = kind === FIELD.kvlistValue;
    const { misfit } = places;
    const header = isMap ? writer.openMap() : writer.openArray();
    const start = writer.length;
    let count = 0;
    let left = places.membersAt(at);
    let next = left < 0 ? places.endOf(at) : places.inside(at);
    for (; left > 0; left -= 1) {
      const nameAt = next;
      next = places.endOf(nameAt);
      if (places.fieldIn(nameAt, next) !== FIELD.values || places.isNull(next)) {
        next = places.endOf(next);
        continue;
      }
      // Nothing is left of a list that came before.
      writer.truncate(start);
      places.misfit = misfit;
      count = Math.max(0, places.elementsAt(next));
      this.#listWriter = writer;
      next = places.takeAll(next, 'values', isMap ? this.#takePair : this.#takeValue);
    }
    if (isMap) writer.closeMap(header, count);
    else writer.closeArray(header, count);
    return next;
  }

  #writerOfList(): MsgpackWriter {
    if (this.#listWriter === null) throw new Error('a list is taken before what is in it');
    return this.#listWriter;
  }
}
