// A text that is one JSON value, as msgpack.

import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { type JsonProblem, JsonReader } from './json-value.ts';

/** The msgpack of the one JSON value in `text`, or what is wrong with it. */
export function jsonToMsgpack(text: Uint8Array, bytesMax = Infinity): Buffer<ArrayBuffer> | JsonProblem {
  const writer = new MsgpackWriter(text.length + 64);
  const reader = new JsonReader(writer, bytesMax);
  reader.setText(text, 0, text.length);
  reader.skipSpace();
  if (!reader.value()) return reader.problem;
  return reader.skipSpace() < 0
    ? writer.view()
    : { at: reader.at, why: 'there is more after the value', isTooLarge: false };
}
