// A bulk request → a batch of documents (blocks/encode-batch.ts): each is found to be one, taken apart by the shapes of
// those before it, and what the store looks at (indexed-fields.ts) is read from its bytes. What is odd about a document
// costs that document: it is decoded, and asked as a whole.

import { isUtf8 } from 'node:buffer';
import { type InstantParts, readInstant } from '../instant-bytes.ts';
import { nanosOf, secondsOf } from '../instant.ts';
import { type BatchNames, NAME_PATHS, NamesByBytes } from './batch-names.ts';
import { ANY_FORM, DocumentBatch } from './blocks/encode-batch.ts';
import { NOT_CREATED } from './blocks/encode-block.ts';
import { ShapeCache } from './blocks/shape-cache.ts';
import { bytesOfShape, findValues, type ShapeBytes } from './blocks/shape-bytes.ts';
import { type Shape, WHOLE } from './blocks/shapes.ts';
import { indexedFields, type IndexedFields } from './indexed-fields.ts';
import { onOneLine } from './search/old-rows.ts';

export interface ReadBatch {
  readonly batch: DocumentBatch;
  /** Of each document that was taken. */
  readonly names: readonly (BatchNames | undefined)[];
  readonly refused: readonly { readonly item: number; readonly reason: string }[];
  /** Of those documents that are kept in another form than they lie in the body. */
  readonly texts: ReadonlyMap<number, string>;
}

/** A shape, and where the fields are among its values; -1: it has none. */
interface KnownShape extends ShapeBytes {
  readonly time: number;
  readonly sequence: number;
  readonly ingested: number;
  readonly created: number;
  readonly names: readonly number[];
}

/** Shapes that are tried before a document is decoded. */
const TRIED = 8;
const ZERO = 0x30;
/** Of a whole number that is exact. */
const INTEGER_DIGITS = 15;
/** Of times that are kept in milliseconds. */
const MS_DIGITS = 3;
const NS_PER_MS = 1e6;

export class BatchReader {
  readonly #cache = new ShapeCache();
  readonly #known = new WeakMap<Shape, KnownShape>();
  /** Those that came last, the last one first. */
  #recent: readonly KnownShape[] = [];
  readonly #names = new NamesByBytes();

  read({ body, bounds }: { readonly body: Uint8Array; readonly bounds: Uint32Array }): ReadBatch {
    const buffer = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    const reading = new Reading(new DocumentBatch(buffer, bounds), this.#names);
    const isText = isUtf8(buffer);
    for (let item = 0; item < bounds.length / 2; item++) {
      const shape = isText ? (this.#recentOf(reading, item) ?? this.#learn(reading, item)) : null;
      if (shape === null || !reading.readFields(item, shape)) reading.readWhole(item, shape, isText);
    }
    return reading;
  }

  #recentOf(reading: Reading, item: number): KnownShape | null {
    for (const shape of this.#recent) {
      if (!reading.place(item, shape)) continue;
      this.#use(shape);
      return shape;
    }
    return null;
  }

  /** Null where it is kept whole, or is none. */
  #learn(reading: Reading, item: number): KnownShape | null {
    const given = reading.batch.textOf(item);
    if (!isOnOneLine(given)) return null;
    const apart = this.#cache.take(given);
    if (apart === null || apart.shape === WHOLE) return null;
    let shape = this.#known.get(apart.shape);
    if (shape === undefined) this.#known.set(apart.shape, (shape = knownShape(apart.shape)));
    if (!reading.place(item, shape)) return null;
    this.#use(shape);
    return shape;
  }

  #use(shape: KnownShape): void {
    if (this.#recent[0] !== shape)
      this.#recent = [shape, ...this.#recent.filter((other) => other !== shape)].slice(0, TRIED);
  }
}

class Reading implements ReadBatch {
  readonly batch: DocumentBatch;
  readonly names: BatchNames[] = [];
  readonly refused: { readonly item: number; readonly reason: string }[] = [];
  readonly texts = new Map<number, string>();
  readonly #namesByBytes: NamesByBytes;
  readonly #instant: InstantParts = { seconds: 0, nanos: 0, digits: 0 };
  readonly #starts = new Int32Array(NAME_PATHS.length);
  readonly #ends = new Int32Array(NAME_PATHS.length);
  #placed = 0;

  constructor(batch: DocumentBatch, names: NamesByBytes) {
    this.batch = batch;
    this.#namesByBytes = names;
  }

  /** Whether the document is of this shape. */
  place(item: number, shape: KnownShape): boolean {
    const { batch } = this;
    const { body, view, bounds } = batch;
    const needed = this.#placed + 2 * shape.ends.length;
    if (needed > batch.places.length) batch.growPlaces(needed);
    const document = { bytes: body, view, start: bounds[2 * item] ?? 0, end: bounds[2 * item + 1] ?? 0 };
    if (!findValues(document, shape, batch.places, this.#placed)) return false;
    batch.first[item] = this.#placed;
    batch.shapes[item] = shape.shape;
    this.#placed = needed - 2;
    return true;
  }

  /** False where its values alone don't tell. */
  readFields(item: number, shape: KnownShape): boolean {
    const { batch } = this;
    const { body, places } = batch;
    const first = batch.first[item] ?? 0;
    for (const [i, place] of shape.names.entries()) {
      this.#starts[i] = place < 0 ? -1 : (places[first + 2 * place] ?? -1);
      this.#ends[i] = place < 0 ? -1 : (places[first + 2 * place + 1] ?? -1);
    }
    const names = this.#namesByBytes.find(body, this.#starts, this.#ends);
    if (names === null || !this.#readTimes(item, shape) || !this.#readSequence(item, shape)) return false;
    this.names[item] = names;
    return true;
  }

  /** Decoded. `shape`: it is taken apart all the same. */
  readWhole(item: number, shape: KnownShape | null, isText: boolean): void {
    const given = this.batch.textOf(item);
    const fields = indexedFields(given);
    if (typeof fields === 'string') {
      this.refused.push({ item, reason: fields });
      return;
    }
    this.#setFields(item, fields);
    if (shape !== null) return;
    this.batch.shapes[item] = WHOLE;
    if (!isText || !isOnOneLine(given)) this.texts.set(item, onOneLine(given));
  }

  #setFields(item: number, { time, sequence, ingestedMs, created, ...names }: IndexedFields): void {
    const { batch } = this;
    batch.seconds[item] = secondsOf(time);
    batch.nanos[item] = nanosOf(time, secondsOf(time));
    batch.sequence[item] = sequence;
    batch.ingested[item] = ingestedMs;
    batch.createdSeconds[item] = created === null ? NOT_CREATED : secondsOf(created);
    batch.createdNanos[item] = created === null ? 0 : nanosOf(created, secondsOf(created));
    for (const field of ['time', 'ingested', 'created', 'sequence'] as const) batch.setDigits(item, field, ANY_FORM);
    this.names[item] = names;
  }

  #readTimes(item: number, shape: KnownShape): boolean {
    const { batch } = this;
    if (!this.#readInstant(item, shape.time)) return false;
    const { seconds, nanos, digits } = this.#instant;
    batch.seconds[item] = seconds;
    batch.nanos[item] = nanos;
    batch.setDigits(item, 'time', digits);
    batch.createdSeconds[item] = NOT_CREATED;
    if (shape.created >= 0) {
      if (!this.#readInstant(item, shape.created)) return false;
      batch.createdSeconds[item] = this.#instant.seconds;
      batch.createdNanos[item] = this.#instant.nanos;
      batch.setDigits(item, 'created', this.#instant.digits);
    }
    if (shape.ingested >= 0 && !this.#readInstant(item, shape.ingested)) return false;
    const of = shape.ingested >= 0 ? this.#instant : { seconds, nanos, digits: ANY_FORM };
    batch.ingested[item] = of.seconds * 1000 + Math.floor(of.nanos / NS_PER_MS);
    batch.setDigits(item, 'ingested', of.digits > MS_DIGITS ? ANY_FORM : of.digits);
    return true;
  }

  #readInstant(item: number, place: number): boolean {
    if (place < 0) return false;
    const { body, places, first } = this.batch;
    const at = (first[item] ?? 0) + 2 * place;
    return readInstant(body, places[at] ?? 0, places[at + 1] ?? 0, this.#instant);
  }

  /** It may be missing. */
  #readSequence(item: number, shape: KnownShape): boolean {
    const { batch } = this;
    if (shape.sequence < 0) return true;
    const { body, places, first } = batch;
    const at = (first[item] ?? 0) + 2 * shape.sequence;
    const start = places[at] ?? 0;
    const end = places[at + 1] ?? 0;
    let sequence = 0;
    for (let i = start; i < end; i++) {
      const digit = (body[i] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) return false;
      sequence = sequence * 10 + digit;
    }
    // What has more digits may be rounded.
    if (end - start > INTEGER_DIGITS && sequence > Number.MAX_SAFE_INTEGER) return false;
    batch.sequence[item] = sequence;
    return true;
  }
}

const isOnOneLine = (given: string): boolean => given.startsWith('{') && given.endsWith('}') && !given.includes('\n');

function knownShape(shape: Shape): KnownShape {
  const placeOf = (path: string): number => shape.paths.indexOf(path);
  return {
    ...bytesOfShape(shape),
    time: placeOf('@timestamp'),
    sequence: placeOf('event.sequence'),
    ingested: placeOf('event.ingested'),
    created: placeOf('event.created'),
    names: NAME_PATHS.map(placeOf),
  };
}
