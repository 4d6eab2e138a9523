// Docker cuts a line of more than 16 KiB into parts. Each is an event of its own, with these keys beside the usual
// ones, all strings:
//
//   partial_message  "true"
//   partial_id       64 hex digits, the same for all parts of the line
//   partial_ordinal  "1", "2", …
//   partial_last     "true" | "false"
//
// What a container leaves without a line break at its end is a part too. No other follows it, though Docker says
// partial_last "false" (seen with 20.10). Its size shows it: Docker cuts where 16 KiB are full, and nowhere else.
//
// Hardly any entry is a part. `DocumentWriter.write` asks only where it found a key partial_message anyway, so that no
// entry's keys are gone through for this question alone.

import { FIXED_SIZE, containerChildren, containerHeaderSize, isMap, timeEnd } from '#shared/msgpack/extents.ts';
import { FieldTable, KeyStack, isText, textEnd, textStart } from './fields.ts';

export interface Part {
  readonly id: string;
  /** Place in the line, from 1 on. */
  readonly ordinal: number;
  readonly last: boolean;
  /** Empty where the record has none. */
  readonly containerId: string;
  /** Where the text lies in the bytes. */
  readonly textStart: number;
  readonly textEnd: number;
}

export const partNames = ['partial_message', 'partial_id', 'partial_ordinal', 'partial_last'] as const;

/** As Docker cuts lines, and as it names their parts. */
const DOCKER_PART_BYTES = 16 * 1024;
const DOCKER_ID = /^[0-9a-f]{64}$/;

const fields = new FieldTable([...partNames, 'log', 'container_id']);
const others = new KeyStack();

/** The part that the entry in bytes[start, end) is; null if it is none, or lacks what joining needs. */
export function partOf(bytes: Uint8Array, start: number, end: number): Part | null {
  const recordAt = recordStart(bytes, start, end);
  if (recordAt < 0 || fields.index(bytes, recordAt, end, others) !== end) return null;
  const [markAt = 0, idAt = 0, ordinalAt = 0, lastAt = 0, logAt = 0, containerAt = 0] = fields.values;
  const last = textAt(bytes, lastAt);
  const ordinal = textAt(bytes, ordinalAt);
  const id = textAt(bytes, idAt);
  if (textAt(bytes, markAt) !== 'true' || (last !== 'true' && last !== 'false')) return null;
  if (!id || !ordinal || !/^[1-9][0-9]{0,8}$/.test(ordinal) || textAt(bytes, logAt, 0) === null) return null;
  const from = textStart(bytes, logAt);
  const to = textEnd(bytes, logAt);
  return {
    id,
    ordinal: Number(ordinal),
    last: last === 'true' || (to - from < DOCKER_PART_BYTES && DOCKER_ID.test(id)),
    containerId: textAt(bytes, containerAt) ?? '',
    textStart: from,
    textEnd: to,
  };
}

/** The first letters of the str or bin at `at`; null where there is none. */
function textAt(bytes: Uint8Array, at: number, lengthMax = 256): string | null {
  if (at === 0 || !isText(bytes[at]!)) return null;
  const start = textStart(bytes, at);
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, Math.min(lengthMax, textEnd(bytes, at) - start)).toString(
    'latin1',
  );
}

/** Where the record of an entry begins, or a negative number. */
export function recordStart(bytes: Uint8Array, start: number, end: number): number {
  if (start + 1 >= end) return -1;
  const type = bytes[start]!;
  const timeAt = type === 0x92 ? start + 1 : start + containerHeaderSize(type);
  if (type !== 0x92 && (type < 0xdc || type > 0xdd || timeAt >= end || containerChildren(bytes, start, type) !== 2))
    return -1;
  const recordAt =
    bytes[timeAt] === 0xd7 && bytes[timeAt + 1] === 0 ? timeAt + FIXED_SIZE[0xd7]! : timeEnd(bytes, timeAt, end);
  return recordAt >= 0 && recordAt < end && isMap(bytes[recordAt]!) ? recordAt : -1;
}
