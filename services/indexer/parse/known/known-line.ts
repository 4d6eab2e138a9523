// A line of JSON that others are like: the same keys in the same order, and values that decide the same. Their
// documents differ in those values alone, so that they need not be read again.
//
//   {"level":"info","msg":"▒","took":▒}  →  …"message":"▒",…"attributes":{"took":▒},…

import { POWERS_OF_TEN } from '#shared/json/json-number.ts';
import type { JsonBuffer } from '../../json/json-buffer.ts';
import type { AttributeNumbers } from '../attribute-numbers.ts';
import { colonOfCaller } from '../line/line.ts';
import { integerOf } from '../line/scan.ts';
import { readText, setNumber, setWhole } from '../record-time.ts';
import type { Timestamp } from '../timestamp.ts';
import type { ValueSource } from '../value-source.ts';
import type { LeafRules } from './leaf-rules.ts';
import { type Leaves, TEXT } from './leaves.ts';
import type { LineShape } from './line-shape.ts';
import type { Pieces } from './pieces.ts';

const ZERO = 0x30;
const POINT = 0x2e;

type Source = Pick<ValueSource, 'bytes' | 'view'>;

/** Of a document: what lies between the parts that are not the line's. */
export interface DocumentPieces {
  readonly fields: Pieces;
  readonly attributes: Pieces;
  readonly log: Pieces;
  readonly event: Pieces;
}

export class KnownLine {
  /** Its number. */
  readonly level: number;
  readonly #shape: LineShape;
  readonly #rules: LeafRules;
  readonly #pieces: DocumentPieces;

  constructor(shape: LineShape, rules: LeafRules, pieces: DocumentPieces, level: number) {
    this.level = level;
    this.#shape = shape;
    this.#rules = rules;
    this.#pieces = pieces;
  }

  /** Whether its time is one of its values. */
  get hasTime(): boolean {
    return this.#rules.timeLeaf >= 0;
  }

  /** Whether bytes[start, end) is like it; then the leaves are set. */
  isLike({ bytes, view }: Source, start: number, end: number, leaves: Leaves): boolean {
    if (!this.#shape.isOf(bytes, view, start, end, leaves) || !this.#rules.hold(bytes, leaves)) return false;
    if (this.#rules.callerLeaf >= 0) splitCaller(bytes, leaves, this.#rules.callerLeaf, this.#shape.kinds.length);
    return true;
  }

  /** Sets the time to the line's own; false where the value is none. */
  readTime(bytes: Uint8Array, leaves: Leaves, time: Timestamp): boolean {
    const leaf = this.#rules.timeLeaf;
    const start = leaves.starts[leaf]!;
    const end = leaves.ends[leaf]!;
    if (this.#shape.kinds[leaf] === TEXT) return readText(bytes, start, end, time);
    const whole = integerOf(bytes, start, end);
    return whole >= 0 ? setWhole(whole, time) : setNumber(decimalOf(bytes, start, end), time);
  }

  /** From behind the time up to what is said of the event. */
  writeFields(json: JsonBuffer, source: Source, leaves: Leaves, numbers: AttributeNumbers | null): void {
    const { fields, attributes, log } = this.#pieces;
    fields.write(json, source, leaves);
    const start = json.at;
    attributes.write(json, source, leaves);
    numbers?.write(start);
    log.write(json, source, leaves);
  }

  /** What the line says of the event, up to the end of the document. */
  writeEvent(json: JsonBuffer, source: Source, leaves: Leaves): void {
    this.#pieces.event.write(json, source, leaves);
  }
}

/** Sets two leaves more, from `piece` on: the file, and the number of the line without zeros before it. */
export function splitCaller(bytes: Uint8Array, leaves: Leaves, leaf: number, piece: number): void {
  const end = leaves.ends[leaf]!;
  const colon = colonOfCaller(bytes, leaves.starts[leaf]!, end);
  leaves.set(piece, leaves.starts[leaf]!, colon);
  let digits = colon + 1;
  while (digits + 1 < end && bytes[digits] === ZERO) digits += 1;
  leaves.set(piece + 1, digits, end);
}

/** A number that is no text in JSON, of at most 15 digits; NaN for a negative one, which is no time. */
function decimalOf(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  let point = end - 1;
  for (let at = start; at < end; at += 1) {
    if (bytes[at] === POINT) point = at;
    else value = value * 10 + bytes[at]! - ZERO;
  }
  // Both are exact, so the quotient is rounded once, as in reading JSON.
  return bytes[start]! < ZERO ? NaN : value / POWERS_OF_TEN[end - 1 - point]!;
}
