// Docker cuts a line of more than 16 KiB into parts. Each is an event of its own, with these keys beside the usual
// ones, all strings:
//
//   partial_message  "true"
//   partial_id       64 hex digits, the same for all parts of the line
//   partial_ordinal  "1", "2", …
//   partial_last     "true" | "false"
//
// In the journal Docker calls them CONTAINER_PARTIAL_MESSAGE, _ID, _ORDINAL and _LAST, and marks the last part by the
// last of these alone.
//
// What a container leaves without a line break at its end is a part too. No other follows it, though Docker says
// partial_last "false" (seen with 20.10). Its size shows it: Docker cuts where 16 KiB are full, and nowhere else.
//
// Parts whose sender tells neither a line nor a place in it (EntryReader finds them) are joined in the order in which
// they come.
//
// Hardly any entry is a part. `EntryReader` asks only where it found such a key anyway, so that no entry's keys are
// gone through for this question alone.

import { FIXED_SIZE, containerChildren, containerHeaderSize, isMap, timeEnd } from '#shared/msgpack/extents.ts';
import { FieldTable, KeyStack, isText, textEnd, textStart } from './fields.ts';

export interface Part {
  readonly id: string;
  /** Place in the line, from 1 on. 0: the next part that comes of what `id` names, a source. */
  readonly ordinal: number;
  readonly last: boolean;
  /** Empty where the record has none. */
  readonly containerId: string;
  /** Where the value with the text begins in the bytes, and where its text lies. */
  readonly textAt: number;
  readonly textStart: number;
  readonly textEnd: number;
}

const dockerNames = ['partial_message', 'partial_id', 'partial_ordinal', 'partial_last'];
const journalNames = dockerNames.map((name) => `CONTAINER_${name.toUpperCase()}`);
export const partNames: readonly string[] = [...dockerNames, ...journalNames];
const containerNames = ['container_id', 'container.id', 'CONTAINER_ID_FULL'];
const textNames = ['log', 'message', 'msg', 'MESSAGE'];

/** As Docker cuts lines, and as it names their parts. */
export const DOCKER_PART_BYTES = 16 * 1024;
const ID_BYTES_MAX = 256;
const DOCKER_ID = /^[0-9a-f]{64}$/;

const fields = new FieldTable([...partNames, ...containerNames, ...textNames]);
const others = new KeyStack();
const CONTAINERS = numbersFrom(partNames.length, containerNames.length);
const TEXTS = numbersFrom(partNames.length + containerNames.length, textNames.length);

function numbersFrom(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

/** The part that the entry in bytes[start, end) is; null if it is none, or lacks what joining needs. */
export function partOf(bytes: Uint8Array, start: number, end: number): Part | null {
  const recordAt = recordStart(bytes, start, end);
  if (recordAt < 0 || fields.index(bytes, recordAt, end, others) !== end) return null;
  const isDockers = textOf(bytes, 0) === 'true';
  // Where each of the names of its kind is among all.
  const first = isDockers ? 0 : dockerNames.length;
  const id = textOf(bytes, first + 1);
  const ordinal = textOf(bytes, first + 2);
  const last = textOf(bytes, first + 3);
  const textAt = fields.findText(bytes, TEXTS);
  if ((!isDockers && textOf(bytes, first) !== 'true' && last !== 'true') || textAt === 0) return null;
  if (!id || !ordinal || !/^[1-9][0-9]{0,8}$/.test(ordinal) || (last !== 'true' && last !== 'false')) return null;
  const from = textStart(bytes, textAt);
  const to = textEnd(bytes, textAt);
  return {
    id,
    ordinal: Number(ordinal),
    last: last === 'true' || (to - from < DOCKER_PART_BYTES && DOCKER_ID.test(id)),
    containerId: textAtOf(bytes, fields.findText(bytes, CONTAINERS)) ?? '',
    textAt,
    textStart: from,
    textEnd: to,
  };
}

/** The part in a copy of the entry, which began at `start`. */
export function partInCopy(part: Part, start: number): Part {
  const { textAt, textStart: from, textEnd: to } = part;
  return { ...part, textAt: textAt - start, textStart: from - start, textEnd: to - start };
}

/** The value of a name, by its number. */
function textOf(bytes: Uint8Array, name: number): string | null {
  return textAtOf(bytes, fields.values[name] ?? 0);
}

/** The first letters of the str or bin at `at`; null where there is none. */
function textAtOf(bytes: Uint8Array, at: number): string | null {
  if (at === 0 || !isText(bytes[at]!)) return null;
  const start = textStart(bytes, at);
  const length = Math.min(ID_BYTES_MAX, textEnd(bytes, at) - start);
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, length).toString('latin1');
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
