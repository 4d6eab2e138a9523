// What the tests of the HTTP body decoders share: entries read back, and a column for what is refused.

import assert from 'node:assert/strict';
import { ExtensionCodec, decodeMulti } from '@msgpack/msgpack';
import type { EntriesOptions, HttpEntries } from '#forwarder/decode/http/http-entries.ts';
import { countEntries } from '#shared/msgpack/extents.ts';

const NOW = { seconds: 1_700_000_000, nanoseconds: 5 };
export const OPTIONS: EntriesOptions = { time: NOW, takeTime: true, bytesMax: 1024 * 1024 };

const extensions = new ExtensionCodec();
extensions.register({
  type: 0,
  encode: () => null,
  decode: (bytes) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    return `${view.getUint32(0)}.${String(view.getUint32(4)).padStart(9, '0')}`;
  },
});

/** The time of entries that had none. */
export const now = '1700000000.000000005';

/** Entries as `[time, record]`, EventTimes as decimal text. */
export function decoded(result: HttpEntries): unknown[] {
  assert(result.kind === 'entries', JSON.stringify(result));
  const entries = [...decodeMulti(result.bytes, { extensionCodec: extensions })];
  assert.equal(result.count, entries.length);
  assert.equal(countEntries(result.bytes, 0, result.bytes.length), entries.length);
  return entries;
}

export function refused(result: HttpEntries, where: { at: number; line?: number }, why: RegExp): void {
  assert(result.kind === 'malformed', JSON.stringify(result));
  const { kind: _, why: told, ...place } = result;
  assert.deepEqual(place, where, told);
  assert.match(told, why);
}
