// Finds where msgpack values end, without decoding them: the edge's only look at a payload. A log record's bytes are
// passed over by a table of sizes; only containers and long strings cost a branch. (https://github.com/msgpack/msgpack)
//
//   entry   [time, record]            time: int, float, nil, EventTime (d7 00 … or c7 08 00 …)
//           [[time, metadata], record]  (Forward protocol v1.5)        record, metadata: map
//   run     entry entry entry …
//
// Guarantees: never throws, allocates nothing that grows with the input, visits each byte at most once.

/** The value runs past the end of the bytes. */
export const INCOMPLETE = -1;
/** The bytes can never become a value: 0xc1, or nesting deeper than the limit; or, of a run, an entry that is none. */
export const MALFORMED = -2;

/** Containers around a value, at most. Log records seldom pass 10; what Elasticsearch takes ends at 20. */
export const DEPTH_MAX = 100;

/** Bytes of a value by its first byte, where that byte alone tells; 0 where a length follows, or elements do. */
export const FIXED_SIZE: Uint8Array = fixedSizes();

/** A slot for each depth, so that a limit of more than DEPTH_MAX has to be asked for where it is made. */
const stack = new Float64Array(DEPTH_MAX + 1);

/** Position after the value that begins at `start`, or INCOMPLETE, or MALFORMED. Never throws. */
export function valueEnd(bytes: Uint8Array, start: number, end: number, depthMax: number = DEPTH_MAX): number {
  const deepest = depthMax < DEPTH_MAX ? depthMax : DEPTH_MAX;
  let at = start;
  // `left` values are still to come in the container that is open; those of the containers around it are on the stack.
  let left = 1;
  let depth = 0;
  for (;;) {
    if (at >= end) return INCOMPLETE;
    const type = bytes[at] ?? 0;
    const size = FIXED_SIZE[type] ?? 0;
    left -= 1;
    if (size !== 0) {
      at += size;
    } else if (isContainer(type)) {
      const headerEnd = at + containerHeaderSize(type);
      if (headerEnd > end) return INCOMPLETE;
      const children = containerChildren(bytes, at, type);
      at = headerEnd;
      if (depth === deepest) return MALFORMED;
      if (children > 0) {
        stack[depth] = left;
        depth += 1;
        left = children;
      }
    } else {
      if (type === 0xc1) return MALFORMED;
      const headerEnd = at + payloadHeaderSize(type);
      if (headerEnd > end) return INCOMPLETE;
      at = headerEnd + payloadSize(bytes, at, type);
    }
    while (left === 0) {
      if (depth === 0) return at <= end ? at : INCOMPLETE;
      depth -= 1;
      left = stack[depth] ?? 0;
    }
  }
}

/** Entries in the run, or INCOMPLETE where the last one is cut, or MALFORMED where one of them is no entry. */
export function countEntries(bytes: Uint8Array, start: number, end: number, depthMax: number = DEPTH_MAX): number {
  let count = 0;
  let at = start;
  while (at < end) {
    at = entryEnd(bytes, at, end, depthMax);
    if (at < 0) return at;
    count += 1;
  }
  return count;
}

/** Position after the entry that begins at `start`, or INCOMPLETE, or MALFORMED. */
export function entryEnd(bytes: Uint8Array, start: number, end: number, depthMax: number = DEPTH_MAX): number {
  const timeStart = pairStart(bytes, start, end);
  if (timeStart < 0) return timeStart;
  const recordStart = timeEnd(bytes, timeStart, end);
  if (recordStart < 0) return recordStart;
  return mapEnd(bytes, recordStart, end, depthMax - 1);
}

/** Where the first map of an entry begins, and how many it has: of its metadata and record, or its record alone. */
export interface EntryMaps {
  /** INCOMPLETE or MALFORMED where the bytes before it are cut, or of no entry. */
  readonly at: number;
  readonly maps: 1 | 2;
}

/** Looks at the few bytes before it only. */
export function entryMaps(bytes: Uint8Array, start: number, end: number): EntryMaps {
  const timeStart = pairStart(bytes, start, end);
  if (timeStart < 0 || timeStart >= end) return { at: Math.min(timeStart, INCOMPLETE), maps: 1 };
  if (!isArray(bytes[timeStart] ?? 0)) return { at: instantEnd(bytes, timeStart, end), maps: 1 };
  const innerStart = pairStart(bytes, timeStart, end);
  return { at: innerStart < 0 ? innerStart : instantEnd(bytes, innerStart, end), maps: 2 };
}

/** Position after an entry's time, its metadata included, or INCOMPLETE, or MALFORMED where it is no time. */
export function timeEnd(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end) return INCOMPLETE;
  const type = bytes[start] ?? 0;
  if (type === 0x92 || type === 0xdc || type === 0xdd) {
    const innerStart = pairStart(bytes, start, end);
    if (innerStart < 0) return innerStart;
    const metadataStart = instantEnd(bytes, innerStart, end);
    return metadataStart < 0 ? metadataStart : mapEnd(bytes, metadataStart, end, DEPTH_MAX - 2);
  }
  return instantEnd(bytes, start, end);
}

/** Whether a value whose first byte is `type` is a map. */
export function isMap(type: number): boolean {
  return (type & 0xf0) === 0x80 || type === 0xde || type === 0xdf;
}

export function isArray(type: number): boolean {
  return (type & 0xf0) === 0x90 || type === 0xdc || type === 0xdd;
}

/** Whether an array or map begins with `type`: 80–9f, dc–df. */
export function isContainer(type: number): boolean {
  return (type & 0xe0) === 0x80 || type >= 0xdc;
}

/** Bytes of an array's or map's header: 1, 3 or 5. */
export function containerHeaderSize(type: number): number {
  if (type < 0xa0) return 1;
  return (type & 1) === 0 ? 3 : 5;
}

/** Values directly inside the array or map whose whole header lies at `at`; a map has two for each pair. */
export function containerChildren(bytes: Uint8Array, at: number, type: number): number {
  if (type < 0x90) return (type & 0x0f) * 2;
  if (type < 0xa0) return type & 0x0f;
  const count = (type & 1) === 0 ? uint16(bytes, at + 1) : uint32(bytes, at + 1);
  return type < 0xde ? count : count * 2;
}

/**
 * Bytes of the header of a str, bin or ext with a length of its own (c4–c9, d9–db), its type byte and length; at most
 * 5.
 */
export function payloadHeaderSize(type: number): number {
  return 1 + (1 << lengthWidth(type));
}

/** Bytes after such a header, an ext's type included. */
export function payloadSize(bytes: Uint8Array, at: number, type: number): number {
  const width = lengthWidth(type);
  const ext = type >= 0xc7 && type <= 0xc9 ? 1 : 0;
  if (width === 0) return (bytes[at + 1] ?? 0) + ext;
  return (width === 1 ? uint16(bytes, at + 1) : uint32(bytes, at + 1)) + ext;
}

/** 0, 1, 2 for a length of 1, 2, 4 bytes: bin 8/16/32 c4 c5 c6, ext 8/16/32 c7 c8 c9, str 8/16/32 d9 da db. */
function lengthWidth(type: number): number {
  if (type >= 0xd9) return type - 0xd9;
  return type >= 0xc7 ? type - 0xc7 : type - 0xc4;
}

/** Position after the header of an array of two. */
function pairStart(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end) return INCOMPLETE;
  const type = bytes[start] ?? 0;
  if (type === 0x92) return start + 1;
  if (type !== 0xdc && type !== 0xdd) return MALFORMED;
  const headerEnd = start + containerHeaderSize(type);
  if (headerEnd > end) return INCOMPLETE;
  return containerChildren(bytes, start, type) === 2 ? headerEnd : MALFORMED;
}

/** Position after an int, a float, nil or an EventTime. */
function instantEnd(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end) return INCOMPLETE;
  const type = bytes[start] ?? 0;
  let at = start;
  if (type === 0xd7) {
    if (start + 1 < end && bytes[start + 1] !== 0) return MALFORMED;
    at += 10;
  } else if (type === 0xc7) {
    if (start + 1 < end && bytes[start + 1] !== 8) return MALFORMED;
    if (start + 2 < end && bytes[start + 2] !== 0) return MALFORMED;
    at += 11;
  } else if (isNumber(type) || type === 0xc0) {
    at += FIXED_SIZE[type] ?? 0;
  } else {
    return MALFORMED;
  }
  return at <= end ? at : INCOMPLETE;
}

/** 00–7f, e0–ff, ca–d3: an integer or a float. */
export function isNumber(type: number): boolean {
  return type < 0x80 || type >= 0xe0 || (type >= 0xca && type <= 0xd3);
}

function mapEnd(bytes: Uint8Array, start: number, end: number, depthMax: number): number {
  if (start >= end) return INCOMPLETE;
  return isMap(bytes[start] ?? 0) ? valueEnd(bytes, start, end, depthMax) : MALFORMED;
}

function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function uint32(bytes: Uint8Array, at: number): number {
  return uint16(bytes, at) * 0x10000 + uint16(bytes, at + 2);
}

function fixedSizes(): Uint8Array {
  const sizes = new Uint8Array(256);
  sizes.fill(1, 0x00, 0x80); // positive fixint
  for (let length = 0; length < 32; length += 1) sizes[0xa0 + length] = 1 + length; // fixstr
  sizes[0xc0] = sizes[0xc2] = sizes[0xc3] = 1; // nil, false, true
  sizes[0xca] = sizes[0xce] = sizes[0xd2] = 5; // float 32, uint 32, int 32
  sizes[0xcb] = sizes[0xcf] = sizes[0xd3] = 9; // float 64, uint 64, int 64
  sizes[0xcc] = sizes[0xd0] = 2; // uint 8, int 8
  sizes[0xcd] = sizes[0xd1] = 3; // uint 16, int 16
  for (let power = 0; power < 5; power += 1) sizes[0xd4 + power] = 2 + (1 << power); // fixext 1, 2, 4, 8, 16
  sizes.fill(1, 0xe0); // negative fixint
  return sizes;
}
