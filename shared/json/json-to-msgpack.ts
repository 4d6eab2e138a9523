// A text that is one JSON value, as msgpack.

import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { type JsonProblem, JsonReader } from './json-value.ts';

/** Of the text, where less is made of its msgpack. */
const MSGPACK_SHARE = 5 / 4;

/**
 * The msgpack of the one JSON value in `text`, or what is wrong with it.
 * @param bytesMax of what is made of it; it may itself have a quarter more than the text in any case
 */
export function jsonToMsgpack(text: Uint8Array, bytesMax = Infinity): Buffer<ArrayBuffer> | JsonProblem {
  const writer = new MsgpackWriter(text.length + 64);
  const reader = new JsonReader(writer, Math.max(bytesMax, MSGPACK_SHARE * text.length));
  reader.setText(text, 0, text.length);
  reader.skipSpace();
  if (!reader.value()) return reader.problem;
  return reader.skipSpace() < 0
    ? writer.view()
    : { at: reader.at, why: 'there is more after the value', isTooLarge: false };
}
