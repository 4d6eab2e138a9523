// How the text of a file is written: where its lines end, and how they become UTF-8. What is UTF-8 passes as bytes,
// valid or not. Everything else is decoded by Node's TextDecoder, which has the encodings of the WHATWG standard
// (https://encoding.spec.whatwg.org). Pure.
//
//   ef bb bf   UTF-8      ff fe   UTF-16, the low byte first      fe ff   UTF-16, the high byte first

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

export const BOM_BYTES_MAX = 3;

export interface FileEncoding {
  /** What the byte order mark takes at the beginning of the file. */
  readonly markBytes: number;
  /** Bytes of its smallest unit: 1, or 2 of UTF-16. */
  readonly unitBytes: 1 | 2;
  /** Null for UTF-8, which passes as it is. */
  readonly label: string | null;
}

const UTF_8: FileEncoding = { markBytes: 0, unitBytes: 1, label: null };

/** `label` as configured; undefined: as the byte order mark says, else UTF-8. `head`: the first bytes of the file. */
export function encodingOf(head: Uint8Array, label: string | undefined): FileEncoding {
  const marked = markedEncoding(head);
  if (label === undefined) return marked ?? UTF_8;
  const name = new TextDecoder(label).encoding;
  const markBytes = marked?.label === name || (marked?.label === null && name === 'utf-8') ? marked.markBytes : 0;
  if (name === 'utf-8') return { ...UTF_8, markBytes };
  return { markBytes, unitBytes: name.startsWith('utf-16') ? 2 : 1, label: name };
}

function markedEncoding(head: Uint8Array): FileEncoding | null {
  if (head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf) return { ...UTF_8, markBytes: 3 };
  if (head[0] === 0xff && head[1] === 0xfe) return { markBytes: 2, unitBytes: 2, label: 'utf-16le' };
  if (head[0] === 0xfe && head[1] === 0xff) return { markBytes: 2, unitBytes: 2, label: 'utf-16be' };
  return null;
}

/** Where the next line feed begins in bytes[start, …), or -1. Units are counted from `start`. */
export function lineFeedAt(bytes: Buffer, start: number, { unitBytes, label }: FileEncoding): number {
  if (unitBytes === 1) return bytes.indexOf(LINE_FEED, start);
  const low = label === 'utf-16le' ? 0 : 1;
  for (let at = bytes.indexOf(LINE_FEED, start); at >= 0; at = bytes.indexOf(LINE_FEED, at + 1)) {
    const unit = at - low;
    if (unit >= start && (unit - start) % 2 === 0 && unit + 1 < bytes.length && bytes[unit + 1 - low] === 0)
      return unit;
  }
  return -1;
}

/** The end of the text without the carriage return before its line feed. */
export function withoutReturn(bytes: Uint8Array, start: number, end: number, encoding: FileEncoding): number {
  const { unitBytes, label } = encoding;
  if (end - start < unitBytes) return end;
  if (unitBytes === 1) return bytes[end - 1] === CARRIAGE_RETURN ? end - 1 : end;
  const low = label === 'utf-16le' ? end - 2 : end - 1;
  return bytes[low] === CARRIAGE_RETURN && bytes[end - 2 + end - 1 - low] === 0 ? end - 2 : end;
}

/** Where a part of a line may end, at `end` or just before it: never between the halves of a UTF-16 character. */
export function partEnd(bytes: Uint8Array, end: number, { unitBytes, label }: FileEncoding): number {
  if (unitBytes === 1) return end;
  const high = bytes[label === 'utf-16le' ? end - 1 : end - 2] ?? 0;
  return high >= 0xd8 && high <= 0xdb ? end - 2 : end;
}
