// The fields of the Elastic Common Schema of one document: gathered from the names of the line and of the record, with
// only values that a field's type can hold, then written. A value that a field took is among the attributes no more.
//
// Positions above 0 are in the record's bytes, those below, negated, in the line's.

import { isNumber } from '#shared/msgpack/extents.ts';
import { MsgpackReader } from '#shared/msgpack/reader.ts';
import { type EcsType, ecsFields } from '#shared/store/ecs-fields.ts';
import { type FieldTable, KeyStack, isText, textEnd, textStart } from '../fields.ts';
import type { ValueSource } from '../value-source.ts';
import type { DocumentParts } from './document-parts.ts';
import { isAddress } from '../address.ts';
import { isWholeNumber } from '../line/scan.ts';
import { fieldOfName, rankOfName } from '../names.ts';
import { type Member, bitOf, highBitOf, objectTree } from './object-tree.ts';
import { UNITS_ANY, UNITS_KEYWORD } from '../text-length.ts';

const COMMA = 0x2c;

const types: readonly EcsType[] = ecsFields.map(([, type]) => type);
const branches = objectTree(ecsFields.map(([path]) => path));
/** `log` and `event` have members of other kinds too: their writers ask for these. */
const separate: readonly Member[] = [...branches]
  .filter(([name]) => name !== 'log' && name !== 'event')
  .map(([, branch]) => branch);

export class EcsValues {
  readonly #parts: DocumentParts;
  /** By a field's number. */
  readonly #at = new Int32Array(ecsFields.length);
  readonly #names = new Int16Array(ecsFields.length);
  readonly #chosen = new KeyStack();
  #bits = 0;
  #highBits = 0;

  constructor(parts: DocumentParts) {
    this.#parts = parts;
  }

  /** Chooses a value for each field: what the line's format says, then its names, then those of the record. */
  gather(root: FieldTable, hasLine: boolean): void {
    for (let i = 0; i < this.#chosen.top; i += 1) this.#at[this.#chosen.positions[i]!] = 0;
    this.#chosen.top = 0;
    this.#bits = this.#highBits = 0;
    const { line, record } = this.#parts;
    if (hasLine) {
      for (const field of line.fieldsSet) if (line.fields[field] !== 0) this.#choose(field, -line.fields[field]!);
      if (line.hasMap) this.#offer(line.table, line, -1);
    }
    if (root.found.top > 0) this.#offer(root, record, 1);
  }

  /** Writes the objects of all fields but those of `log` and `event`. */
  write(): void {
    if (this.#chosen.top === 0) return;
    for (const branch of separate) this.#member(branch);
  }

  /** Writes the members of an object that is open. */
  writeMembersOf(name: 'log' | 'event'): void {
    if (this.#chosen.top === 0) return;
    for (const member of branches.get(name)?.members ?? []) this.#member(member);
  }

  #choose(field: number, at: number): void {
    this.#at[field] = at;
    this.#chosen.push(field);
    this.#bits |= bitOf(field);
    this.#highBits |= highBitOf(field);
  }

  /** `sign`: of positions in the source. */
  #offer(table: FieldTable, source: ValueSource, sign: number): void {
    const first = this.#chosen.top;
    for (let i = 0; i < table.found.top; i += 1) {
      const name = table.found.positions[i]!;
      const field = fieldOfName[name]!;
      const at = table.values[name]!;
      if (field < 0 || at === 0 || !isFit(source.bytes, at, types[field]!)) continue;
      if (this.#at[field] === 0) this.#choose(field, sign * at);
      else if (this.#chosen.indexOf(field) < first || rankOfName[name]! > rankOfName[this.#names[field]!]!) continue;
      this.#at[field] = sign * at;
      this.#names[field] = name;
    }
    for (let i = first; i < this.#chosen.top; i += 1) table.take(this.#names[this.#chosen.positions[i]!]!);
  }

  #object({ key, members }: Member): void {
    const { object } = this.#parts;
    const start = object.open(key);
    for (const member of members) this.#member(member);
    object.close(start);
  }

  #member(member: Member): void {
    if (((this.#bits & member.bits) | (this.#highBits & member.highBits)) === 0) return;
    if (member.field < 0) return this.#object(member);
    const at = this.#at[member.field]!;
    if (at === 0) return;
    const { values, line, record } = this.#parts;
    const source = at < 0 ? line : record;
    if (at < 0) values.use(source);
    const place = Math.abs(at);
    const type = types[member.field]!;
    values.json.raw(member.key);
    if (type === 'long' && isText(source.bytes[place]!)) this.#digits(source.bytes, place);
    else {
      values.textUnitsMax = type === 'text' ? UNITS_ANY : UNITS_KEYWORD;
      values.value(place, 1);
    }
    values.json.byte(COMMA);
    if (at < 0) values.use(record);
  }

  #digits(bytes: Uint8Array, at: number): void {
    const { values } = this.#parts;
    const start = values.json.at;
    for (let i = textStart(bytes, at); i < textEnd(bytes, at); i += 1) values.json.byte(bytes[i]!);
    values.noteSpan(at, start);
  }
}

/** Whether a field of the type can hold the msgpack value at `at`. */
function isFit(bytes: Uint8Array, at: number, type: EcsType): boolean {
  const first = bytes[at]!;
  if (type === 'long')
    return isText(first) ? isWholeNumber(bytes, textStart(bytes, at), textEnd(bytes, at)) : isLong(bytes, at);
  if (!isText(first)) return false;
  if (type !== 'ip') return true;
  return isAddress(bytes, textStart(bytes, at), textEnd(bytes, at));
}

/** An integer of 63 bits and a sign. */
function isLong(bytes: Uint8Array, at: number): boolean {
  const type = bytes[at]!;
  if (!isNumber(type) || type === 0xca || type === 0xcb) return false;
  return type !== 0xcf || (new MsgpackReader(bytes, at).integer() ?? 0) < 2n ** 63n;
}
