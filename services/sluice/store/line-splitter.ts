// Lines of a stream of bytes, with their numbers. Linear, however small the pieces are; a line without an end costs no
// more than its limit.

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

export interface Line {
  /** From 1. */
  readonly number: number;
  /** Without its end; null where it is longer than the limit. */
  readonly bytes: Buffer | null;
}

export async function* linesOf(pieces: AsyncIterable<Uint8Array>, bytesMax: number): AsyncGenerator<Line, void, void> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  let number = 1;
  const hold = (bytes: Buffer): void => {
    heldBytes += bytes.length;
    if (heldBytes <= bytesMax) held.push(bytes);
    else held = [];
  };
  const take = (): Line => {
    const bytes = heldBytes > bytesMax ? null : Buffer.concat(held);
    held = [];
    heldBytes = 0;
    return { number: number++, bytes: bytes?.at(-1) === CARRIAGE_RETURN ? bytes.subarray(0, -1) : bytes };
  };
  for await (const piece of pieces) {
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    let start = 0;
    for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED, start)) {
      hold(bytes.subarray(start, end));
      yield take();
      start = end + 1;
    }
    if (start < bytes.length) hold(bytes.subarray(start));
  }
  if (heldBytes > 0) yield take();
}
