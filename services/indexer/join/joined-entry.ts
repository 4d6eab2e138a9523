// The entry of a line that was put together: that of the part that came first, with the text of all parts in place of
// its own. Pure.

import { containerChildren, containerHeaderSize } from '#shared/msgpack/extents.ts';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { isText, pastValue, textEnd, textStart } from '../parse/fields.ts';
import { partNames, recordStart } from '../parse/part.ts';

/**
 * Without the partial_* keys if nothing is missing; else they stay, for whoever wants to know what is.
 * @param textAt where the value with the first part's text begins
 */
export function joinedEntry(
  first: Uint8Array,
  textAt: number,
  texts: readonly Uint8Array[],
  partial: boolean,
): Uint8Array {
  const recordAt = recordStart(first, 0, first.length);
  const type = first[recordAt]!;
  const kept: { start: number; valueAt: number; end: number }[] = [];
  let at = recordAt + containerHeaderSize(type);
  for (let pairs = containerChildren(first, recordAt, type) / 2; pairs > 0; pairs -= 1) {
    const valueAt = pastValue(first, at, first.length);
    const end = pastValue(first, valueAt, first.length);
    if (partial || !isPartName(keyText(first, at))) kept.push({ start: at, valueAt, end });
    at = end;
  }
  const text = Buffer.concat(texts);
  const writer = new MsgpackWriter(first.length + text.length + 16);
  writer.raw(first, 0, recordAt);
  writer.mapHeader(kept.length);
  for (const { start, valueAt, end } of kept) {
    writer.raw(first, start, valueAt);
    if (valueAt === textAt) writer.stringBytes(text);
    else writer.raw(first, valueAt, end);
  }
  return writer.view();
}

/** Empty where the key is no string. */
function keyText(bytes: Uint8Array, at: number): string {
  if (!isText(bytes[at]!)) return '';
  return Buffer.from(bytes.subarray(textStart(bytes, at), textEnd(bytes, at))).toString('latin1');
}

function isPartName(key: string): boolean {
  return partNames.some((name) => name === key);
}
