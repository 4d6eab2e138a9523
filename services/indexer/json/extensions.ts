// Extensions of msgpack that are no time → JSON: "ext:<type>:<hex digits>". Each is whole. What does not fit into the
// buffer's limit is not written.

import { payloadHeaderSize } from '#shared/msgpack/extents.ts';
import type { JsonBuffer } from './json-buffer.ts';

const QUOTE = 0x22;

interface Source {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** Writes the extension from `at` to `end`. False where it is too large. */
export function writeExtension(json: JsonBuffer, { bytes, view }: Source, at: number, end: number): boolean {
  const type = bytes[at]!;
  const typeAt = type >= 0xd4 ? at + 1 : at + payloadHeaderSize(type);
  json.ascii(`"ext:${view.getInt8(typeAt)}:`);
  const isWritten = writeHex(json, bytes, typeAt + 1, end);
  json.byte(QUOTE);
  return isWritten;
}

/** Writes bytes as hex digits. False where they are too many. */
export function writeHex(json: JsonBuffer, bytes: Uint8Array, start: number, end: number): boolean {
  if (2 * (end - start) > json.fullAt - json.at) return false;
  json.hex(bytes, start, end);
  return true;
}
