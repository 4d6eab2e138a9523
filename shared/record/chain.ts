// Names by position, for lines of files: each entry's name follows from its source and from all that the source said up
// to its end, so that whoever reads a file again, cut into batches in whatever way, gives its lines the same names.
//
//   chain 0          SHA-256(length "sluice source" | length source | length generation), first 16 bytes
//                    lengths are u32, big-endian
//   chain k          SHA-256(chain k-1 | bytes of the record map of entry k), first 16 bytes
//   name of entry k  time ms (6), of the entry itself, 0 if it has none | chain k (16)
//
// A row of the table carries the chain at the start of its entries; names are derived where they are needed. What the
// producer must guarantee: an entry's record and time are functions of the source's name and the file's bytes (no
// clock, no counter that a second reading would have otherwise), entries of a source come in the file's order without a
// gap, and `generation` tells files of one name apart.

import { hash } from 'node:crypto';
import { entryEnd, timeEnd } from '../msgpack/extents.ts';
import { entryTimeMs } from './entry-time.ts';
import { NAME_TIME_BYTES, POSITION_NAME_BYTES, type PositionNames } from './identity.ts';

export const CHAIN_BYTES = 16;
const DOMAIN = 'sluice source';
/** Holds all but huge records; a larger one gets a buffer of its own. */
const scratch = Buffer.allocUnsafeSlow(64 * 1024);

/** The chain before the first entry of a source. `generation`: what tells it from another file of the same name. */
export function chainStart(source: string, generation: string): Buffer {
  const parts: Buffer[] = [];
  for (const text of [DOMAIN, source, generation]) {
    const bytes = Buffer.from(text);
    const length = Buffer.allocUnsafe(4);
    length.writeUInt32BE(bytes.length);
    parts.push(length, bytes);
  }
  return hash('sha256', Buffer.concat(parts), 'buffer').subarray(0, CHAIN_BYTES);
}

/**
 * A chain that goes on entry by entry, in one piece of memory. A digest comes as a string: as a buffer of its own it
 * would cost more than the hash.
 */
export class RunningChain {
  readonly #chain = Buffer.allocUnsafeSlow(CHAIN_BYTES);

  constructor(chain: Uint8Array) {
    this.#chain.set(chain);
  }

  /** As it is now; whoever keeps it copies it. */
  get current(): Uint8Array {
    return this.#chain;
  }

  /** Goes past an entry. `record`: the bytes of its record map, without its time. */
  next(record: Uint8Array): void {
    const length = CHAIN_BYTES + record.length;
    const bytes = length <= scratch.length ? scratch : Buffer.allocUnsafe(length);
    bytes.set(this.#chain);
    bytes.set(record, CHAIN_BYTES);
    this.#chain.write(hash('sha256', bytes.subarray(0, length), 'binary'), 0, CHAIN_BYTES, 'latin1');
  }

  /** Goes past the entry in bytes[start, end), which is whole. */
  nextEntry(bytes: Uint8Array, start: number, end: number): void {
    const timeAt = start + (bytes[start] === 0x92 ? 1 : bytes[start] === 0xdc ? 3 : 5);
    this.next(bytes.subarray(timeEnd(bytes, timeAt, end), end));
  }
}

/** The chain after an entry. `record`: the bytes of its record map, without its time. */
export function chainNext(chain: Uint8Array, record: Uint8Array): Uint8Array {
  const running = new RunningChain(chain);
  running.next(record);
  return running.current;
}

/** The chain after the entry in bytes[start, end), which is whole. */
export function chainAfterEntry(chain: Uint8Array, bytes: Uint8Array, start: number, end: number): Uint8Array {
  const running = new RunningChain(chain);
  running.nextEntry(bytes, start, end);
  return running.current;
}

/** Names that are made in a step: some 4 ms, for each is a hash, however small its entry is. */
export const NAMES_PER_STEP = 2048;

/**
 * The chain after a run of entries, which was counted before. Null: a step is done, and the event loop may have its
 * turn.
 */
export function* chainAfterRun(chain: Uint8Array, run: Uint8Array): Generator<null, Uint8Array, void> {
  const after = new RunningChain(chain);
  let count = 0;
  for (let at = 0; at < run.length;) {
    const end = entryEnd(run, at, run.length);
    if (end < 0) break;
    after.nextEntry(run, at, end);
    at = end;
    count += 1;
    if (count % NAMES_PER_STEP === 0) yield null;
  }
  return after.current;
}

/** Derives names, entry by entry, so that the caller can take turns. */
export class PositionNamer {
  readonly #bytes: Buffer;
  readonly #chain: RunningChain;
  #at = 0;
  #earliestMs = Number.POSITIVE_INFINITY;

  /** `chain`: at the start of the first entry. */
  constructor(chain: Uint8Array, count: number) {
    this.#chain = new RunningChain(chain);
    this.#bytes = Buffer.allocUnsafeSlow(count * POSITION_NAME_BYTES);
  }

  /** The next entry, in bytes[start, end), which is whole. */
  add(bytes: Uint8Array, start: number, end: number): void {
    const timeMs = entryTimeMs(bytes, start, end);
    this.#chain.nextEntry(bytes, start, end);
    this.#bytes.writeUIntBE(timeMs, this.#at, NAME_TIME_BYTES);
    this.#bytes.set(this.#chain.current, this.#at + NAME_TIME_BYTES);
    this.#at += POSITION_NAME_BYTES;
    this.#earliestMs = Math.min(this.#earliestMs, timeMs);
  }

  get names(): PositionNames {
    return { bytes: this.#bytes, earliestMs: this.#earliestMs };
  }
}

/** The row of one entry alone, which is `entry`, with its name. */
export function namedAlone<B extends { readonly chain: Uint8Array | null }>(row: B, index: number, entry: Uint8Array) {
  const { chain } = row;
  if (chain === null || entryEnd(entry, 0, entry.length) !== entry.length) return row;
  const namer = new PositionNamer(chain, 1);
  namer.add(entry, 0, entry.length);
  return { ...row, first: index, count: 1, names: namer.names };
}

/** The chain at the start of an entry: for a row of that entry alone. `entry`: its number in the batch's row. */
export function chainAtEntry(chain: Uint8Array, names: PositionNames, entry: number): Uint8Array {
  if (entry === 0) return chain;
  return names.bytes.subarray(entry * POSITION_NAME_BYTES - CHAIN_BYTES, entry * POSITION_NAME_BYTES);
}
