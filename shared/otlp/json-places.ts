// Looks into the msgpack that a JSON text was made (json-value.ts), by positions: a body may have millions of values,
// and nothing is made for one that is passed over. What is not as OTLP has it is noted, and nothing is taken in its
// place: an exception for each of a million records would cost more than all else.
//
// Guarantees: none about bytes that were not written here. Those that were are whole, so no position is past their end.

import { MsgpackReader } from '#shared/msgpack/reader.ts';
import {
  containerChildren,
  containerHeaderSize,
  isArray,
  isMap,
  payloadHeaderSize,
  valueEnd,
} from '#shared/msgpack/extents.ts';
import { FIELD, FIELDS, type FieldName, UNKNOWN, fieldIn } from './json-names.ts';

/** Takes the element at a position; returns where it ends. */
export type Take = (at: number) => number;

export const EMPTY = Buffer.alloc(0);
const NIL = 0xc0;
const NONE = -1;
const INT64_MIN = -(2n ** 63n);
const UINT64_MAX = 2n ** 64n - 1n;

/** Where the values of an object's fields begin. */
export class Fields {
  readonly #at = new Float64Array(FIELDS).fill(NONE);

  clear(): void {
    this.#at.fill(NONE);
  }

  set(field: number, at: number): void {
    this.#at[field] = at;
  }

  /** Negative where there is none. */
  at(name: FieldName): number {
    return this.#at[FIELD[name]] ?? NONE;
  }
}

export class JsonPlaces {
  readonly bytes: Buffer;
  /** The first thing that did not fit since this was null. */
  misfit: string | null = null;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  note(why: string): void {
    this.misfit ??= why;
  }

  /** The position after the value. */
  endOf(at: number): number {
    return valueEnd(this.bytes, at, this.bytes.length);
  }

  isNull(at: number): boolean {
    return this.bytes[at] === NIL;
  }

  /** The members of an object; negative, with a note, if there is no object. */
  membersAt(at: number): number {
    const type = this.bytes[at] ?? 0;
    if (isMap(type)) return containerChildren(this.bytes, at, type) / 2;
    this.note('an object is missing where one has to be');
    return NONE;
  }

  /** The elements of an array; negative if there is no array. */
  elementsAt(at: number): number {
    const type = this.bytes[at] ?? 0;
    return isArray(type) ? containerChildren(this.bytes, at, type) : NONE;
  }

  /** Where the first member of an object begins, or the first element of an array. */
  inside(at: number): number {
    return at + containerHeaderSize(this.bytes[at] ?? 0);
  }

  /** The field whose name is the text from `at` to `end`. */
  fieldIn(at: number, end: number): number {
    return fieldIn(this.bytes, this.textStart(at), end);
  }

  /** Where the bytes of a text begin, which end with the value; negative where there is no text. */
  textStart(at: number): number {
    const type = this.bytes[at] ?? 0;
    if ((type & 0xe0) === 0xa0) return at + 1;
    return type >= 0xd9 && type <= 0xdb ? at + payloadHeaderSize(type) : NONE;
  }

  textAt(at: number, name: FieldName): Buffer {
    const start = this.textStart(at);
    if (start >= 0) return this.bytes.subarray(start, this.endOf(at));
    this.note(`its ${name} is no string`);
    return EMPTY;
  }

  /** Within the bounds of 64 bits. */
  integerAt(at: number, name: FieldName): number | bigint {
    const reader = this.reader(at);
    const number = reader.integer();
    if (number !== undefined) return number;
    const text = reader.string();
    const value = text !== undefined && /^-?\d{1,20}$/.test(text) ? BigInt(text) : null;
    if (value === null) this.note(`its ${name} is no integer`);
    else if (value < INT64_MIN || value > UINT64_MAX) this.note(`its ${name} is past 64 bits`);
    else return value;
    return 0;
  }

  reader(at: number): MsgpackReader {
    return new MsgpackReader(this.bytes, at);
  }

  /** Finds the fields of the object at `at`, of which null is as good as absent. Returns where the object ends. */
  read(at: number, fields: Fields): number {
    fields.clear();
    let left = this.membersAt(at);
    let next = left < 0 ? this.endOf(at) : this.inside(at);
    for (; left > 0; left -= 1) {
      const nameAt = next;
      next = this.endOf(nameAt);
      const field = this.fieldIn(nameAt, next);
      if (field !== UNKNOWN && !this.isNull(next)) fields.set(field, next);
      next = this.endOf(next);
    }
    return next;
  }

  /** The elements of a list; none where there is no such field. */
  each(fields: Fields, name: FieldName, take: Take): void {
    const at = fields.at(name);
    if (at >= 0) this.takeAll(at, name, take);
  }

  /** The elements of the array at `at`. Returns where it ends. */
  takeAll(at: number, name: FieldName, take: Take): number {
    let left = this.elementsAt(at);
    if (left < 0) {
      this.note(`its ${name} is no array`);
      return this.endOf(at);
    }
    let next = this.inside(at);
    for (; left > 0; left -= 1) next = take(next);
    return next;
  }

  text(fields: Fields, name: FieldName): Buffer {
    const at = fields.at(name);
    return at < 0 ? EMPTY : this.textAt(at, name);
  }

  /** An id's hex digits. */
  hex(fields: Fields, name: FieldName): string {
    const text = this.text(fields, name);
    return text.length === 0 ? '' : text.toString('latin1').toLowerCase();
  }

  /** Of 32 bits. */
  small(fields: Fields, name: FieldName): number {
    const at = fields.at(name);
    if (at < 0) return 0;
    const value = Number(this.integerAt(at, name));
    if (value >= -0x80000000 && value <= 0xffffffff) return value;
    this.note(`its ${name} is past 32 bits`);
    return 0;
  }

  /** Nanoseconds. */
  time(fields: Fields, name: FieldName): bigint {
    const at = fields.at(name);
    if (at < 0) return 0n;
    const ns = BigInt(this.integerAt(at, name));
    if (ns < 0n) this.note(`its ${name} is negative`);
    return ns;
  }
}
