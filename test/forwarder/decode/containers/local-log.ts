// Writes records as Docker's `local` log driver does. The encoder is a hand-written one, so that it shares nothing with
// what reads them.

export interface LocalEntry {
  readonly text: string | Buffer;
  readonly stream?: string;
  readonly timeNs?: bigint;
  /** Absent: the line is whole. `last` absent: nothing says it. */
  readonly part?: { readonly last?: boolean; readonly ordinal?: number };
  readonly attrs?: Readonly<Record<string, string>>;
}

const TIME_NS = 1_795_169_410_123_456_789n;

/** A record with its lengths. */
export function localRecord(entry: LocalEntry): Buffer {
  return framed(localEntry(entry));
}

export function framed(entry: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(entry.length);
  return Buffer.concat([length, entry, length]);
}

function localEntry({ text, stream = 'stdout', timeNs = TIME_NS, part, attrs = {} }: LocalEntry): Buffer {
  return Buffer.concat([
    bytesField(1, Buffer.from(stream)),
    numberField(2, timeNs),
    bytesField(3, Buffer.from(text)),
    ...(part === undefined ? [] : [numberField(4, 1n)]),
    ...(part?.last === undefined ? [] : [bytesField(5, partMetadata(part.last, part.ordinal ?? 1))]),
    ...Object.entries(attrs).map(([key, value]) =>
      bytesField(6, Buffer.concat([bytesField(1, Buffer.from(key)), bytesField(2, Buffer.from(value))])),
    ),
  ]);
}

function partMetadata(isLast: boolean, ordinal: number): Buffer {
  const id = bytesField(2, Buffer.from('0123456789abcdef'));
  return Buffer.concat([numberField(1, isLast ? 1n : 0n), id, numberField(3, BigInt(ordinal))]);
}

/** As protobuf 3 has it: what is 0, or empty, is left out. */
function numberField(field: number, value: bigint): Buffer {
  return value === 0n ? Buffer.alloc(0) : Buffer.concat([varint(BigInt(field << 3)), varint(value)]);
}

function bytesField(field: number, bytes: Buffer): Buffer {
  if (bytes.length === 0) return bytes;
  return Buffer.concat([varint(BigInt((field << 3) | 2)), varint(BigInt(bytes.length)), bytes]);
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Buffer.from([...bytes, Number(rest)]);
}
