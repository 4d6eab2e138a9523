// A field of a record by its name, for rules: `service.name` is the key of that name, or `name` below `service`,
// whichever there is; of a key that is there twice the last one counts. Pure.
//
// Guarantees: `record` must be whole; it is passed over once for each dot of the name at most.

import { containerChildren, containerHeaderSize, isMap, valueEnd } from '#shared/msgpack/extents.ts';
import { isText, textEnd, textStart } from '../parse/fields.ts';

const DOT = 0x2e;

/** Where the value of the field lies in the map at `at`; 0 where there is none. */
export function fieldAt(bytes: Uint8Array, at: number, end: number, name: Uint8Array): number {
  const type = bytes[at] ?? 0;
  if (!isMap(type)) return 0;
  let whole = 0;
  let below = 0;
  let keyAt = at + containerHeaderSize(type);
  for (let pairs = containerChildren(bytes, at, type) / 2; pairs > 0; pairs -= 1) {
    const valueAt = valueEnd(bytes, keyAt, end);
    if (valueAt < 0) return 0;
    const length = startLength(bytes, keyAt, name);
    if (length === name.length) whole = valueAt;
    else if (length > 0 && name[length] === DOT)
      below = fieldAt(bytes, valueAt, end, name.subarray(length + 1)) || below;
    keyAt = valueEnd(bytes, valueAt, end);
    if (keyAt < 0) return 0;
  }
  return whole || below;
}

/** How much of the name the key at `at` is; 0 where it is no beginning of it. */
function startLength(bytes: Uint8Array, at: number, name: Uint8Array): number {
  if (!isText(bytes[at] ?? 0)) return 0;
  const start = textStart(bytes, at);
  const length = textEnd(bytes, at) - start;
  if (length > name.length) return 0;
  for (let i = 0; i < length; i += 1) if (bytes[start + i] !== name[i]) return 0;
  return length;
}
