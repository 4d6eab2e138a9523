// Lines that are known of one source: of records that are equal but for their time and their text.

import { JsonBuffer, viewOf } from '../../json/json-buffer.ts';
import type { KnownLine } from './known-line.ts';
import type { Marks } from './marks.ts';
import { isSame } from './same-bytes.ts';

/** Kinds of lines that are known. The first of them gives way to one more. */
const LINES_MAX = 8;
const REST_BYTES_MAX = 4096;
/** Behind what is copied by words. */
const WORD_BYTES = 4;

/** What documents of a batch have in common. */
export interface SourceContext {
  readonly tag: string;
  readonly tenant: string | null;
  readonly input: string;
}

/** The record of an entry, and the text in it. */
export interface RecordPlace {
  view: DataView;
  start: number;
  textAt: number;
  textEnd: number;
  end: number;
}

export class KnownSource {
  readonly lines: KnownLine[] = [];
  readonly #context: SourceContext;
  readonly #before: DataView;
  readonly #after: DataView;
  /** Without a level of the line, and with one. */
  readonly #rests: (JsonBuffer | null)[] = [null, null];
  #restNumber = 0;
  /** The one that gives way. */
  #next = 0;

  constructor(context: SourceContext, bytes: Uint8Array, { start, textAt, textEnd, end }: RecordPlace) {
    this.#context = context;
    this.#before = viewOf(new Uint8Array(bytes.subarray(start, textAt)));
    this.#after = viewOf(new Uint8Array(bytes.subarray(textEnd, end)));
  }

  isOf({ tag, tenant, input }: SourceContext, { view, start, textAt, textEnd, end }: RecordPlace): boolean {
    const { byteLength: before } = this.#before;
    const { byteLength: after } = this.#after;
    const own = this.#context;
    return (
      before === textAt - start &&
      after === end - textEnd &&
      own.tag === tag &&
      own.tenant === tenant &&
      own.input === input &&
      isSame(view, start, this.#before, 0, before) &&
      isSame(view, textEnd, this.#after, 0, after)
    );
  }

  /**
   * What comes behind the message of a document, up to its attributes, of which it has none: where the line tells
   * nothing but its message, its time and, if so, its level.
   */
  restOf(hasLevel: boolean): JsonBuffer | null {
    this.#restNumber = hasLevel ? 1 : 0;
    return this.#rests[this.#restNumber] ?? null;
  }

  /** The document with which `json` ends is of the record whose rest was asked for last. */
  learnRest(json: JsonBuffer, { rest: start, attributes, numbersEnd: end }: Marks): void {
    if (this.#rests[this.#restNumber] !== null || attributes !== end || end - start > REST_BYTES_MAX) return;
    const rest = new JsonBuffer(Buffer.alloc(end - start + WORD_BYTES));
    rest.copy(json.view, start, end);
    this.#rests[this.#restNumber] = rest;
  }

  add(line: KnownLine): void {
    this.lines[this.#next] = line;
    this.#next = (this.#next + 1) % LINES_MAX;
  }
}
