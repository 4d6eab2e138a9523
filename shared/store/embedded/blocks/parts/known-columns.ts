// What a block knows of each of its documents beside its text: part 0, columns of integers. Each is decoded when
// somebody first asks for it: a search looks at few of them. Pure.
//
//   length of each column in bytes (u32) | columns (integers.ts), in the order of KNOWN

import { decodeIntegers, encodeIntegers } from './integers.ts';

const KNOWN = [
  'row',
  'seconds',
  'nanos',
  'sequence',
  'ingested',
  'createdSeconds',
  'createdNanos',
  'origin',
  'shape',
] as const;

type Name = (typeof KNOWN)[number];
export type KnownNumbers = Readonly<Record<Name, ArrayLike<number>>>;

export function encodeKnown(numbers: KnownNumbers): Uint8Array {
  const columns = KNOWN.map((name) => encodeIntegers(numbers[name]));
  const lengths = Buffer.alloc(4 * columns.length);
  for (const [i, column] of columns.entries()) lengths.writeUInt32LE(column.length, 4 * i);
  return Buffer.concat([lengths, ...columns]);
}

export class KnownColumns implements Readonly<Record<Name, Float64Array>> {
  readonly #bytes: Buffer;
  readonly #documents: number;
  #decoded = 0;
  #row: Float64Array | null = null;
  #seconds: Float64Array | null = null;
  #nanos: Float64Array | null = null;
  #sequence: Float64Array | null = null;
  #ingested: Float64Array | null = null;
  #createdSeconds: Float64Array | null = null;
  #createdNanos: Float64Array | null = null;
  #origin: Float64Array | null = null;
  #shape: Float64Array | null = null;

  /** `bytes`: of `encodeKnown`, for so many documents. */
  constructor(bytes: Uint8Array, documents: number) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#documents = documents;
  }

  get row(): Float64Array {
    return (this.#row ??= this.#decode('row'));
  }

  get seconds(): Float64Array {
    return (this.#seconds ??= this.#decode('seconds'));
  }

  get nanos(): Float64Array {
    return (this.#nanos ??= this.#decode('nanos'));
  }

  get sequence(): Float64Array {
    return (this.#sequence ??= this.#decode('sequence'));
  }

  get ingested(): Float64Array {
    return (this.#ingested ??= this.#decode('ingested'));
  }

  get createdSeconds(): Float64Array {
    return (this.#createdSeconds ??= this.#decode('createdSeconds'));
  }

  get createdNanos(): Float64Array {
    return (this.#createdNanos ??= this.#decode('createdNanos'));
  }

  get origin(): Float64Array {
    return (this.#origin ??= this.#decode('origin'));
  }

  get shape(): Float64Array {
    return (this.#shape ??= this.#decode('shape'));
  }

  /** Memory that it takes by now, about, beside what it is made of. */
  get keptBytes(): number {
    return this.#decoded * this.#documents * Float64Array.BYTES_PER_ELEMENT;
  }

  #decode(name: Name): Float64Array {
    this.#decoded += 1;
    const number = KNOWN.indexOf(name);
    let at = 4 * KNOWN.length;
    for (let before = 0; before < number; before++) at += this.#bytes.readUInt32LE(4 * before);
    return decodeIntegers(this.#bytes.subarray(at, at + this.#bytes.readUInt32LE(4 * number)), this.#documents);
  }
}
