// From a line and the document that it became to what is known of lines like it: which of the document's bytes are
// values of the line, and which are the same for all.
//
// Guarantees: what comes of it writes this very document for this line; it is tried. A value is either written where it
// was noted, or decides something, so that it has a rule: of any other there is no known line.

import { containerChildren, containerHeaderSize, isContainer, isMap } from '#shared/msgpack/extents.ts';
import { JsonBuffer, viewOf } from '../../json/json-buffer.ts';
import type { Spans } from '../../json/spans.ts';
import { FieldTable, KeyStack, pastValue } from '../fields.ts';
import { CALLER_FILE, CALLER_LINE, type Line } from '../line/line.ts';
import * as names from '../names.ts';
import type { ValueSource } from '../value-source.ts';
import { KnownLine, splitCaller } from './known-line.ts';
import { LeafRules } from './leaf-rules.ts';
import { Leaves, TEXT } from './leaves.ts';
import { LineShape } from './line-shape.ts';
import type { Marks } from './marks.ts';
import { type Pieces, PiecesBuilder } from './pieces.ts';

/** Of what is the same, at most. */
const BYTES_MAX = 8192;
/** A map of pairs is the first that is written for a line of JSON. */
const MAP_AT = 1;
const QUOTE = 0x22;
const QUOTE_ESCAPED = Buffer.from('\\"');
const ORIGINAL = Buffer.from('"original":"');
const ORIGINAL_END = Buffer.from('"}}');
const NOTHING = Buffer.alloc(0);

const table = new FieldTable(names.recordNames, names.FOUND_FROM);
const keys = new KeyStack();
const leaves = new Leaves();
const scratch = new JsonBuffer();

export interface ReadLine {
  readonly line: Line;
  /** Where its text is. */
  readonly source: Pick<ValueSource, 'bytes' | 'view'>;
  readonly start: number;
  readonly end: number;
  /** Whether the document's time is the line's. */
  readonly hasTime: boolean;
  readonly level: number;
}

export interface WrittenDocument {
  readonly json: JsonBuffer;
  readonly marks: Marks;
  readonly spans: Spans;
  readonly keepsOriginal: boolean;
}

/** Null where a document of another line might differ in more than its values. */
export function knownLineOf(read: ReadLine, document: WrittenDocument): KnownLine | null {
  const { line, source, start, end, hasTime, level } = read;
  const shape = LineShape.of(source.bytes, source.view, start, end, leaves);
  if (shape === null || !document.spans.areWhole) return null;
  const leafAt = leavesByPosition(line);
  if (leafAt.size !== shape.kinds.length) return null;
  if (table.index(line.bytes, MAP_AT, line.writer.length, keys) < 0) return null;
  const rules = new LeafRules(source.bytes, leaves, shape.kinds, table, leafAt);
  if (!rules.areWhole || rules.timeLeaf >= 0 !== hasTime) return null;
  if (rules.callerLeaf >= 0) {
    splitCaller(source.bytes, leaves, rules.callerLeaf, shape.kinds.length);
    leafAt.set(line.fields[CALLER_FILE]!, shape.kinds.length);
    leafAt.set(line.fields[CALLER_LINE]!, shape.kinds.length + 1);
  }
  if (!isEachNoted(shape, rules, document.spans, leafAt)) return null;
  const pieces = new DocumentCutter(document, leafAt).cut(shape);
  if (pieces === null || !writesSame(pieces, source, document)) return null;
  return new KnownLine(shape, rules, pieces, level);
}

/** Each that decides nothing was written somewhere. */
function isEachNoted({ kinds }: LineShape, rules: LeafRules, spans: Spans, leafAt: ReadonlyMap<number, number>) {
  const noted = new Set<number>();
  for (let i = 0; i < spans.count; i += 1) noted.add(leafAt.get(spans.values[i]!) ?? -1);
  return kinds.every(
    (_, leaf) => noted.has(leaf) || rules.same.has(leaf) || leaf === rules.timeLeaf || leaf === rules.callerLeaf,
  );
}

/** The values in the line's pairs that contain no others, in their order, by where they are. */
function leavesByPosition({ bytes }: Line): Map<number, number> {
  const found = new Map<number, number>();
  if (isMap(bytes[MAP_AT]!)) addLeaves(bytes, MAP_AT, found);
  return found;
}

function addLeaves(bytes: Uint8Array, at: number, found: Map<number, number>): number {
  const type = bytes[at]!;
  if (type >= 0xe0 || !isContainer(type)) {
    found.set(at, found.size);
    return pastValue(bytes, at, bytes.length);
  }
  let next = at + containerHeaderSize(type);
  const step = isMap(type) ? 2 : 1;
  for (let left = containerChildren(bytes, at, type); left > 0; left -= step) {
    if (step === 2) next = pastValue(bytes, next, bytes.length);
    next = addLeaves(bytes, next, found);
  }
  return next;
}

type CutPieces = Record<'fields' | 'attributes' | 'log' | 'event', Pieces>;

/** Cuts a document where values of the line are. */
class DocumentCutter {
  readonly #document: WrittenDocument;
  readonly #leafAt: ReadonlyMap<number, number>;
  /** The next one. */
  #span = 0;

  constructor(document: WrittenDocument, leafAt: ReadonlyMap<number, number>) {
    this.#document = document;
    this.#leafAt = leafAt;
  }

  cut(shape: LineShape): CutPieces | null {
    const { marks, spans, keepsOriginal } = this.#document;
    const fields = this.#between(marks.fields, marks.attributes);
    const attributes = this.#between(marks.attributes, marks.numbers);
    const log = this.#between(marks.numbersEnd, marks.logEnd);
    const event = this.#between(marks.event, keepsOriginal ? marks.original : marks.end);
    const all = [fields, attributes, log, event];
    if (keepsOriginal) addOriginal(shape, event);
    const bytes = all.reduce((sum, { length }) => sum + length, 0);
    if (this.#span < spans.count || bytes > BYTES_MAX) return null;
    return { fields: fields.build(), attributes: attributes.build(), log: log.build(), event: event.build() };
  }

  /** Without the rest of them where one is none of the line's, or elsewhere. */
  #between(start: number, end: number): PiecesBuilder {
    const { json, spans } = this.#document;
    const pieces = new PiecesBuilder();
    let at = start;
    for (; this.#span < spans.count && spans.ends[this.#span]! <= end; this.#span += 1) {
      const leaf = this.#leafAt.get(spans.values[this.#span]!);
      if (leaf === undefined || spans.starts[this.#span]! < at) return pieces;
      const quote = json.bytes[spans.starts[this.#span]!] === QUOTE ? 1 : 0;
      pieces.add(json.bytes.subarray(at, spans.starts[this.#span]! + quote));
      pieces.addLeaf(leaf);
      at = spans.ends[this.#span]! - quote;
    }
    pieces.add(json.bytes.subarray(at, end));
    return pieces;
  }
}

/** `"original":"…"}}`: the text of the line, in which quotes are escaped. */
function addOriginal({ bytes, places, kinds }: LineShape, pieces: PiecesBuilder): void {
  pieces.add(ORIGINAL);
  let from = 0;
  for (const [leaf, to] of places.entries()) {
    const quote = kinds[leaf] === TEXT ? QUOTE_ESCAPED : NOTHING;
    pieces.add(escaped(bytes.subarray(from, to)));
    pieces.add(quote);
    pieces.addLeaf(leaf);
    pieces.add(quote);
    from = to;
  }
  pieces.add(escaped(bytes.subarray(from)));
  pieces.add(ORIGINAL_END);
}

function escaped(bytes: Uint8Array): Uint8Array {
  scratch.at = 0;
  scratch.inside(bytes, viewOf(bytes), 0, bytes.length);
  return scratch.bytes.subarray(0, scratch.at);
}

/** Whether the line that the document is of has it from these pieces. */
function writesSame(pieces: CutPieces, source: ReadLine['source'], { json, marks }: WrittenDocument): boolean {
  return (
    isWritten(pieces.fields, source, json, marks.fields, marks.attributes) &&
    isWritten(pieces.attributes, source, json, marks.attributes, marks.numbers) &&
    isWritten(pieces.log, source, json, marks.numbersEnd, marks.logEnd) &&
    isWritten(pieces.event, source, json, marks.event, marks.end)
  );
}

function isWritten(pieces: Pieces, source: ReadLine['source'], json: JsonBuffer, start: number, end: number): boolean {
  scratch.at = 0;
  pieces.write(scratch, source, leaves);
  return scratch.at === end - start && json.bytes.compare(scratch.bytes, 0, scratch.at, start, end) === 0;
}
