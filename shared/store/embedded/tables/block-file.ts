// Blocks in SQLite. A block is never changed: it is written once and deleted once, and its number never comes again.
//
//   blocks   a row for each: how many documents, their bytes as JSON, and the least and greatest of what searches go
//            by; `seal`: checksum of all that
//   parts    (part-tables.ts) n 0: filter of words; 1: head; from 2 on: what is beside it (encode-block.ts)
//            data = checksum (u32) | bytes; the checksum is over the block's number, n and the bytes
//
// Guarantees: what is damaged is never taken for data; a block that is damaged costs itself only.

import { crc32 } from 'node:zlib';
import type { DatabaseSync } from 'node:sqlite';
import { secondsOf } from '../../instant.ts';
import { BlockReader } from '../blocks/decode-block.ts';
import { type Chosen, encodeBatch, lengthOf } from '../blocks/encode-batch.ts';
import { type BlockDocument, encodeBlock, type EncodedBlock, NOT_CREATED } from '../blocks/encode-block.ts';
import { PARTS_TABLE, PartTables } from './part-tables.ts';

export const BLOCK_TABLES = `
  CREATE TABLE IF NOT EXISTS blocks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, documents INTEGER NOT NULL, bytes INTEGER NOT NULL,
    row_min INTEGER NOT NULL, row_max INTEGER NOT NULL, time_min INTEGER NOT NULL, time_max INTEGER NOT NULL,
    sequence_min INTEGER NOT NULL, sequence_max INTEGER NOT NULL,
    arrival_min INTEGER NOT NULL, arrival_max INTEGER NOT NULL,
    ingested_min INTEGER NOT NULL, ingested_max INTEGER NOT NULL, seal INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS blocks_by_greatest_time ON blocks (time_max);
  CREATE INDEX IF NOT EXISTS blocks_by_least_time ON blocks (time_min);
  CREATE INDEX IF NOT EXISTS blocks_by_row ON blocks (row_max);
  ${PARTS_TABLE}
`;

/** Between `min` and `max`, both included. */
interface Span {
  readonly min: bigint;
  readonly max: bigint;
}

export interface Block {
  readonly id: number;
  readonly documents: number;
  /** Of the documents, in characters. */
  readonly bytes: number;
  readonly row: Span;
  readonly time: Span;
  readonly sequence: Span;
  readonly arrival: Span;
  readonly ingested: Span;
}

const SPANS = ['row', 'time', 'sequence', 'arrival', 'ingested'] as const;
export const BLOCK_COLUMNS = [
  'id',
  'documents',
  'bytes',
  ...SPANS.flatMap((name) => [`${name}_min`, `${name}_max`]),
  'seal',
]
  .map((name) => `b.${name}`)
  .join(', ');

const NS_PER_SECOND = 1_000_000_000n;
const FILTER = 0;
const HEAD = 1;
const SEAL_BYTES = 4;

/** What is stored of a block is not what was written. */
export class DamagedBlock extends Error {
  readonly block: number;

  constructor(block: number, what: string) {
    super(`block ${block} of the embedded store is damaged (${what})`);
    this.block = block;
  }
}

/** Blocks that are there may not be found. */
export class DamagedList extends DamagedBlock {
  constructor(what: string) {
    super(0, what);
    this.message = `the list of blocks of the embedded store is damaged (${what})`;
  }
}

export class BlockFile {
  readonly #parts: PartTables;
  readonly #database: DatabaseSync;
  #writing: ReturnType<typeof writing> | null = null;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#parts = new PartTables(database);
  }

  /** In the transaction of whoever calls. Throws DamagedEnd; `beginParts` mends it. */
  insert(documents: readonly BlockDocument[]): void {
    const bytes = documents.reduce((sum, { text }) => sum + text.length, 0);
    this.#insert([documents.length, bytes], spansOf(documents), encodeBlock(documents));
  }

  /** The same. */
  insertBatch(chosen: Chosen): void {
    this.#insert([chosen.documents.length, lengthOf(chosen)], spansOfBatch(chosen), encodeBatch(chosen));
  }

  /** The same; `encoded`: of the documents of all these blocks. */
  insertJoined(blocks: readonly Block[], encoded: EncodedBlock): void {
    const sum = (of: (block: Block) => number): number => blocks.reduce((total, block) => total + of(block), 0);
    const spans = SPANS.map((name) => spanOfAll(blocks.map((block) => block[name])));
    this.#insert([sum(({ documents }) => documents), sum(({ bytes }) => bytes)], spans, encoded);
  }

  #insert(sizes: readonly [documents: number, bytes: number], spans: readonly Span[], encoded: EncodedBlock): void {
    const { insertBlock, seal } = (this.#writing ??= writing(this.#database));
    const { head, beside, filter } = encoded;
    const numbers = [...sizes.map(BigInt), ...spans.flatMap(({ min, max }) => [min, max])];
    const made = insertBlock.get(...numbers, 0);
    const id = Number(made?.['id']);
    seal.run(sealOf([BigInt(id), ...numbers]), id);
    const write = (n: number, data: Uint8Array) => this.#parts.add(id, n, sealed(id, n, data));
    if (filter !== null) write(FILTER, filter);
    write(HEAD, head);
    for (const [n, data] of beside) write(HEAD + n, data);
  }

  /** In the transaction of whoever calls. */
  beginParts(): void {
    this.#parts.beginAnother();
  }

  /** In the transaction of whoever calls. `keepParts`: where they cannot be deleted. Nobody looks for them any more. */
  remove({ id }: Pick<Block, 'id'>, { keepParts = false } = {}): void {
    const { removeBlock } = (this.#writing ??= writing(this.#database));
    removeBlock.run(id);
    if (!keepParts) this.#parts.remove(id);
  }

  /** What it takes on the disk. */
  bytesOf({ id }: Pick<Block, 'id'>): number {
    return this.#parts.bytesOf(id);
  }

  /** Throws DamagedBlock, also later when a part is read. */
  open({ id, documents }: Block): BlockReader {
    const reader = new BlockReader(this.#read(id, HEAD), (n) => this.#read(id, HEAD + n));
    if (reader.documents !== documents) throw new DamagedBlock(id, 'it has another number of documents');
    return reader;
  }

  /** How many documents a block has whose row is damaged; 0 where nobody knows. */
  countOf(id: number): number {
    try {
      return new BlockReader(this.#read(id, HEAD), (n) => this.#read(id, HEAD + n)).documents;
    } catch {
      return 0;
    }
  }

  /** Null where it has none. Throws DamagedBlock. */
  filter({ id }: Block): Uint8Array | null {
    const data = this.#parts.read(id, FILTER);
    return data === null ? null : unsealed(id, FILTER, data);
  }

  #read(id: number, n: number): Uint8Array {
    const data = this.#parts.read(id, n);
    if (data === null) throw new DamagedBlock(id, `part ${n} is missing`);
    return unsealed(id, n, data);
  }
}

/** `row`: of BLOCK_COLUMNS, with BigInts. Throws DamagedBlock. */
export function blockOf(row: Record<string, unknown>): Block {
  const number = (name: string): bigint => row[name] as bigint;
  const span = (name: string): Span => ({ min: number(`${name}_min`), max: number(`${name}_max`) });
  const id = Number(number('id'));
  const numbers = ['id', 'documents', 'bytes', ...SPANS.flatMap((name) => [`${name}_min`, `${name}_max`])].map(number);
  if (sealOf(numbers) !== Number(number('seal'))) throw new DamagedBlock(id, 'its row');
  return {
    id,
    documents: Number(number('documents')),
    bytes: Number(number('bytes')),
    row: span('row'),
    time: span('time'),
    sequence: span('sequence'),
    arrival: span('arrival'),
    ingested: span('ingested'),
  };
}

function spanOfAll(spans: readonly Span[]): Span {
  let { min, max } = spans[0] ?? { min: 0n, max: 0n };
  for (const span of spans) {
    if (span.min < min) min = span.min;
    if (span.max > max) max = span.max;
  }
  return { min, max };
}

function spansOf(documents: readonly BlockDocument[]): Span[] {
  const spanOf = (value: (document: BlockDocument) => number): Span => {
    let [min, max] = [Infinity, -Infinity];
    for (const document of documents) {
      const one = value(document);
      if (one < min) min = one;
      if (one > max) max = one;
    }
    return { min: BigInt(min), max: BigInt(max) };
  };
  return [
    spanOf(({ row }) => row),
    spanOfTimes(documents, ({ time }) => time),
    spanOf(({ sequence }) => sequence),
    spanOfTimes(documents, ({ created, time }) => created ?? time),
    spanOf(({ ingestedMs }) => ingestedMs),
  ];
}

function spansOfBatch({ batch, documents, rows }: Chosen): Span[] {
  const { seconds, nanos, createdSeconds, createdNanos } = batch;
  const isLater = (document: number): boolean => createdSeconds[document] !== NOT_CREATED;
  return [
    spanOfNumbers(rows),
    spanOfMoments(documents, (document) => [seconds[document] ?? 0, nanos[document] ?? 0]),
    spanOfNumbers(documents, batch.sequence),
    spanOfMoments(documents, (document) =>
      isLater(document)
        ? [createdSeconds[document] ?? 0, createdNanos[document] ?? 0]
        : [seconds[document] ?? 0, nanos[document] ?? 0],
    ),
    spanOfNumbers(documents, batch.ingested),
  ];
}

/** Of the numbers, or of those at these places. */
function spanOfNumbers(numbers: Float64Array | Int32Array, values: Float64Array | null = null): Span {
  let [min, max] = [Infinity, -Infinity];
  for (const number of numbers) {
    const value = values === null ? number : (values[number] ?? 0);
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return { min: BigInt(min), max: BigInt(max) };
}

function spanOfMoments(documents: Int32Array, momentOf: (document: number) => readonly [number, number]): Span {
  let min: readonly [number, number] = [Infinity, 0];
  let max: readonly [number, number] = [-Infinity, 0];
  for (const document of documents) {
    const moment = momentOf(document);
    if (moment[0] < min[0] || (moment[0] === min[0] && moment[1] < min[1])) min = moment;
    if (moment[0] > max[0] || (moment[0] === max[0] && moment[1] > max[1])) max = moment;
  }
  const nanosecondsOf = ([seconds, nanos]: readonly [number, number]): bigint =>
    BigInt(seconds) * NS_PER_SECOND + BigInt(nanos);
  return { min: nanosecondsOf(min), max: nanosecondsOf(max) };
}

/** By their seconds first: to compare BigInts costs more. */
function spanOfTimes(documents: readonly BlockDocument[], timeOf: (document: BlockDocument) => bigint): Span {
  let [min, max] = [2n ** 63n - 1n, -(2n ** 63n)];
  let [leastSecond, greatestSecond] = [Infinity, -Infinity];
  for (const document of documents) {
    const time = timeOf(document);
    const seconds = secondsOf(time);
    if (seconds <= leastSecond && time < min) [min, leastSecond] = [time, seconds];
    if (seconds >= greatestSecond && time > max) [max, greatestSecond] = [time, seconds];
  }
  return { min, max };
}

const sealOf = (numbers: readonly bigint[]): number => crc32(numbers.join());

function checksum(id: number, n: number, bytes: Uint8Array): number {
  return crc32(bytes, crc32(`${id}/${n}`));
}

function sealed(id: number, n: number, bytes: Uint8Array): Uint8Array {
  const data = Buffer.allocUnsafe(SEAL_BYTES + bytes.length);
  data.writeUInt32LE(checksum(id, n, bytes), 0);
  data.set(bytes, SEAL_BYTES);
  return data;
}

function unsealed(id: number, n: number, data: Uint8Array): Uint8Array {
  const bytes = data.subarray(SEAL_BYTES);
  const seal = data.length < SEAL_BYTES ? null : Buffer.from(data.buffer, data.byteOffset, SEAL_BYTES).readUInt32LE(0);
  if (seal !== checksum(id, n, bytes)) throw new DamagedBlock(id, `the checksum of part ${n}`);
  return bytes;
}

function writing(database: DatabaseSync) {
  const names = BLOCK_COLUMNS.replaceAll('b.', '').replace('id, ', '');
  return {
    insertBlock: database.prepare(
      `INSERT INTO blocks (${names}) VALUES (${names.replaceAll(/\w+/g, '?')}) RETURNING id`,
    ),
    seal: database.prepare('UPDATE blocks SET seal = ? WHERE id = ?'),
    removeBlock: database.prepare('DELETE FROM blocks WHERE id = ?'),
  };
}
