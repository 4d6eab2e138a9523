// What is known of lines of JSON, by their sources: a line like one before it becomes a document like that one's.
//
//   record   {container_id, container_name, source, log: ▒}     the same source: equal but for its text
//   text     {"level":"info","ts":▒,"msg":"▒"}                  the same line: equal but for its values
//
// Guarantees: bounded in sources, lines and bytes, whatever comes. A source is remembered once a record of it comes
// again; of those with the same hash, one. A line is compared with a few others at most.

import { type JsonBuffer, viewOf } from '../../json/json-buffer.ts';
import { Spans } from '../../json/spans.ts';
import type { Entry } from '../entry.ts';
import { textEnd, textStart } from '../fields.ts';
import type { Line } from '../line/line.ts';
import { BRACE } from '../line/scan.ts';
import { messageNames } from '../names.ts';
import type { KnownLine } from './known-line.ts';
import { knownLineOf } from './known-line-of.ts';
import { KnownSource, type RecordPlace, type SourceContext } from './known-source.ts';
import { LearningCredit } from './learning-credit.ts';
import { Leaves } from './leaves.ts';
import type { Marks } from './marks.ts';

const SOURCES_MAX = 128;
const RECORD_BYTES_MAX = 2048;
const LINE_BYTES_MAX = 4096;
const WORD_BYTES = 4;

/** An entry that was found, and where it ends. */
interface Read {
  readonly entry: Entry;
  readonly end: number;
}

/** What a document was written by. */
interface LearnedFields {
  /** Null where the line is not JSON, or has no message. */
  readonly jsonLine: Line | null;
  readonly level: number;
  readonly marks: Marks;
  readonly options: { readonly keepsOriginal: boolean };
}

export class KnownLines {
  /** Of the line that was found. */
  readonly leaves = new Leaves();
  /** Whether a line that was not found is to be learned. */
  isNew = false;
  readonly #spans = new Spans();
  #context: SourceContext = { tag: '', tenant: null, input: '' };
  #contextHash = 1;
  /** By hash. */
  readonly #sources: (KnownSource | null)[] = Array.from({ length: SOURCES_MAX }, () => null);
  /** By the same: the hash of a record that came, and has no source. */
  readonly #seen = new Int32Array(SOURCES_MAX);
  readonly #credit = new LearningCredit();
  #source: KnownSource | null = null;
  readonly #place: RecordPlace = { view: viewOf(new Uint8Array(0)), start: 0, textAt: 0, textEnd: 0, end: 0 };
  #textStart = 0;
  /** Whether the line is JSON, as far as its first byte tells. */
  #isJson = false;

  /** The entries that follow are of the batch. */
  startBatch({ tag, tenant, input }: SourceContext): void {
    const own = this.#context;
    if (own.tag === tag && own.tenant === tenant && own.input === input) return;
    this.#context = { tag, tenant, input };
    this.#contextHash = 1;
    for (const text of [tag, tenant ?? '\0', input])
      for (let i = 0; i < text.length; i += 1)
        this.#contextHash = Math.imul(this.#contextHash ^ text.charCodeAt(i), 0x01000193);
  }

  /** Of the entry that was looked at. */
  get source(): KnownSource | null {
    return this.#source;
  }

  /** Whether something of the entry's source may be known. */
  looksAt({ entry, end }: Read): boolean {
    const { bytes, view, recordAt, root } = entry;
    const textAt = root.findText(bytes, messageNames);
    if (textAt === 0 || entry.metadataAt !== 0) return false;
    const start = textStart(bytes, textAt);
    const last = textEnd(bytes, textAt);
    if (last - start > LINE_BYTES_MAX || textAt - recordAt + end - last > RECORD_BYTES_MAX) return false;
    const place = this.#place;
    place.view = view;
    place.start = recordAt;
    place.textAt = textAt;
    place.textEnd = last;
    place.end = end;
    this.#textStart = start;
    this.#isJson = bytes[start] === BRACE;
    if (this.#source?.isOf(this.#context, place) !== true) this.#source = this.#find(bytes);
    return this.#source !== null;
  }

  /** What is known of the line of the entry that was looked at; null where that is nothing. */
  find({ entry }: Read): KnownLine | null {
    const source = this.#source;
    this.isNew = false;
    if (source === null || !this.#isJson) return null;
    for (const line of source.lines) {
      if (!line.isLike(entry, this.#textStart, this.#place.textEnd, this.leaves)) continue;
      this.#credit.hit();
      return line;
    }
    this.isNew = this.#credit.miss();
    return null;
  }

  /** The document of a new line is written: where its values are is to be noted here. */
  startLearning(): Spans {
    this.#spans.clear();
    return this.#spans;
  }

  /** Learns the line, which is new, by its document, with which `json` ends. */
  learn({ entry }: Read, fields: LearnedFields, json: JsonBuffer, hasTime: boolean): void {
    const { jsonLine: line, level, marks, options } = fields;
    const source = this.#source;
    if (line === null || source === null) return;
    marks.end = json.at;
    const { textEnd: end } = this.#place;
    const read = { line, source: entry, start: this.#textStart, end, hasTime, level };
    const known = knownLineOf(read, { json, marks, spans: this.#spans, keepsOriginal: options.keepsOriginal });
    if (known !== null) source.add(known);
  }

  #find(bytes: Uint8Array): KnownSource | null {
    const place = this.#place;
    const hash = hashOf(
      place.view,
      place.start,
      place.textAt,
      hashOf(place.view, place.textEnd, place.end, this.#contextHash),
    );
    const bucket = (hash ^ (hash >>> 16)) & (SOURCES_MAX - 1);
    const known = this.#sources[bucket] ?? null;
    if (known?.isOf(this.#context, place) === true) return known;
    if (this.#seen[bucket] !== hash) {
      this.#seen[bucket] = hash;
      return null;
    }
    const source = new KnownSource(this.#context, bytes, place);
    this.#sources[bucket] = source;
    return source;
  }
}

function hashOf(view: DataView, start: number, end: number, seed: number): number {
  let hash = seed;
  let at = start;
  for (; at + WORD_BYTES <= end; at += WORD_BYTES)
    hash = Math.imul(hash ^ view.getInt32(at), 0x9e3779b1) ^ (hash >>> 15);
  for (; at < end; at += 1) hash = Math.imul(hash ^ view.getUint8(at), 0x85ebca6b) ^ (hash >>> 13);
  return hash;
}
