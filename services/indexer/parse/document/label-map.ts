// A map of labels or annotations, with names that are safe: `app.kubernetes.io/name` becomes `app_kubernetes_io_name`,
// as dots would be taken for objects in each other, and slashes for paths.
//
// Where two names would become the same one, or might (by hash; of very many names none is looked at), all of the map
// stay as they are: no label gives way to another. Each byte is looked at a constant number of times.

import { containerChildren, containerHeaderSize } from '#shared/msgpack/extents.ts';
import type { JsonBuffer } from '../../json/json-buffer.ts';
import { KeyStack, isText, pastValue, textEnd, textStart } from '../fields.ts';
import { SAFE, isUnsafe } from '../../json/safe-names.ts';
import type { JsonTranscoder } from '../json-value.ts';

/** Names that are compared with each other. */
const COMPARED_MAX = 64;
const OBJECT_START = 0x7b;
const OBJECT_END = 0x7d;
const COMMA = 0x2c;

export class LabelMap {
  readonly #values: JsonTranscoder;
  readonly #keys = new KeyStack();
  readonly #hashes = new Int32Array(COMPARED_MAX);
  #compared = 0;

  constructor(values: JsonTranscoder) {
    this.#values = values;
  }

  /** Writes `"key":{…},` of the map at `at`. */
  write(key: JsonBuffer, bytes: Uint8Array, at: number): void {
    const pairs = containerChildren(bytes, at, bytes[at]!) / 2;
    const areSafe = this.#find(bytes, at, pairs);
    const { json } = this.#values;
    json.raw(key);
    json.byte(OBJECT_START);
    const map = this.#values.startMembers(pairs, 2);
    this.#values.members(this.#keys, map, areSafe);
    this.#values.endMembers(map);
    json.end(OBJECT_END);
    json.byte(COMMA);
  }

  /** Finds the keys; whether no two of them would become the same. */
  #find(bytes: Uint8Array, at: number, pairs: number): boolean {
    this.#keys.top = 0;
    this.#compared = 0;
    let areSafe = true;
    let keyAt = at + containerHeaderSize(bytes[at]!);
    for (let left = pairs; left > 0; left -= 1) {
      this.#keys.push(keyAt);
      const valueAt = pastValue(bytes, keyAt, bytes.length);
      if (areSafe && isText(bytes[keyAt]!))
        areSafe = this.#isNew(bytes, textStart(bytes, keyAt), textEnd(bytes, keyAt));
      keyAt = pastValue(bytes, valueAt, bytes.length);
    }
    return areSafe;
  }

  #isNew(bytes: Uint8Array, start: number, end: number): boolean {
    let hash = end - start;
    let mayMeet = false;
    for (let i = start; i < end; i += 1) {
      const byte = isUnsafe(bytes[i]!) ? SAFE : bytes[i]!;
      mayMeet ||= byte === SAFE;
      hash = Math.imul(hash ^ byte, 0x01000193);
    }
    // One without any of them becomes no other, and no other becomes it.
    if (!mayMeet) return true;
    if (this.#compared === COMPARED_MAX) return false;
    for (let i = 0; i < this.#compared; i += 1) if (this.#hashes[i] === hash) return false;
    this.#hashes[this.#compared++] = hash;
    return true;
  }
}
