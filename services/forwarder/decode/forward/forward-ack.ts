// The answer of the Forward protocol to a chunk that is held: {"ack": chunk}, as a sender of msgpack or of JSON reads
// it. The chunk id goes back as it came, type and all: fluentd's ends in a newline, and others' are bin.
//
//   81 | a3 61 63 6b ("ack") | the chunk id's own msgpack
//
// Guarantees: pure; never another answer than this one.

import { MsgpackReader } from '#shared/msgpack/reader.ts';

const HEAD = Buffer.from([0x81, 0xa3, 0x61, 0x63, 0x6b]);

/** `chunk`: the id as msgpack, of ForwardFrame.chunk. */
export function encodeAck(chunk: Uint8Array): Buffer {
  const ack = Buffer.allocUnsafe(HEAD.length + chunk.length);
  HEAD.copy(ack);
  ack.set(chunk, HEAD.length);
  return ack;
}

/** The same for a connection in JSON mode. */
export function encodeJsonAck(chunk: Uint8Array): Buffer {
  const text = new MsgpackReader(chunk).bytes()?.toString('utf8') ?? '';
  return Buffer.from(JSON.stringify({ ack: text }));
}
