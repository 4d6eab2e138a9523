// What a sender to Splunk's HTTP Event Collector asks about its acknowledgements: {"acks":[0,1]}.
//
// Read by the codec that bodies are read by, which is bounded in depth and makes no object of a value: JSON.parse makes
// fifty bytes of each bracket.

import { MsgpackReader } from '#shared/msgpack/reader.ts';
import { jsonToMsgpack } from '#shared/json/json-to-msgpack.ts';

/** More than any sender has open. */
export const ACKS_MAX = 100_000;
/** A number of sixteen digits and its comma, for each of them. */
export const ACK_BODY_BYTES_MAX = 17 * ACKS_MAX;
const KEY = Buffer.from('acks');

/** The ids; null where the body is no such question. Never throws. */
export function askedAcks(body: Buffer): number[] | null {
  if (body.length > ACK_BODY_BYTES_MAX) return null;
  const bytes = jsonToMsgpack(body);
  if (!Buffer.isBuffer(bytes)) return null;
  const reader = new MsgpackReader(bytes);
  let acks: number[] | null = null;
  for (let left = reader.mapHeader() ?? 0; left > 0; left -= 1) {
    const key = reader.bytes();
    if (key && KEY.equals(key)) acks = idsAt(new MsgpackReader(bytes, reader.position));
    reader.skip();
  }
  return acks;
}

function idsAt(reader: MsgpackReader): number[] | null {
  const count = reader.arrayHeader();
  if (count === undefined || count > ACKS_MAX) return null;
  const ids: number[] = [];
  for (let i = 0; i < count; i += 1) {
    const id = reader.safeInteger();
    if (id === undefined || id < 0) return null;
    ids.push(id);
  }
  return ids;
}

/** `{"acks":{"0":true}}`: an id is given only when the events are held, so whatever is asked about is true. */
export function acksAnswer(ids: readonly number[]): string {
  return `{"acks":{${ids.map((id) => `"${id}":true`).join(',')}}}`;
}
