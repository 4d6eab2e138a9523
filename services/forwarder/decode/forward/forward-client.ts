// The client's side of the Forward protocol, for what sends to a forwarder of ours: the handshake (handshake.ts draws
// its frames), a chunk that wants an ack, and the ack. Pure; never throws for a peer's bytes.
//
//   93 | tag | bin: a run of entries | 82 "chunk" id "size" entries

import { MsgpackReader } from '#shared/msgpack/reader.ts';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { handshakeDigest } from './handshake.ts';

export interface Helo {
  readonly nonce: Buffer;
  /** Whether a user has to log in. */
  readonly asksForUser: boolean;
}

export interface Pong {
  readonly isAdmitted: boolean;
  /** Why not. */
  readonly reason: string;
  readonly server: string;
  readonly digest: string;
}

/** `frame`: one whole msgpack value. Null where it is no HELO. */
export function decodeHelo(frame: Buffer): Helo | null {
  const reader = new MsgpackReader(frame);
  if (reader.arrayHeader() !== 2 || reader.string() !== 'HELO') return null;
  let nonce: Buffer | undefined;
  let auth: Buffer | undefined;
  for (let left = reader.mapHeader() ?? 0; left > 0; left -= 1) {
    const key = reader.string();
    if (key === 'nonce') nonce = reader.bytes();
    else if (key === 'auth') auth = reader.bytes();
    else if (!reader.skip()) return null;
  }
  return nonce === undefined ? null : { nonce, asksForUser: (auth?.length ?? 0) > 0 };
}

/** `salt`: random, of this connection alone. */
export function encodePing({ nonce }: Helo, { hostname, salt, key }: PingFacts): Buffer {
  const writer = new MsgpackWriter();
  writer.arrayHeader(6);
  writer.string('PING');
  writer.string(hostname);
  writer.string(salt);
  writer.string(handshakeDigest(salt, hostname, nonce, key));
  writer.string('');
  writer.string('');
  return writer.take();
}

export interface PingFacts {
  readonly hostname: string;
  readonly salt: string;
  readonly key: string;
}

/** `frame`: one whole msgpack value. Null where it is no PONG. */
export function decodePong(frame: Buffer): Pong | null {
  const reader = new MsgpackReader(frame);
  if (reader.arrayHeader() !== 5 || reader.string() !== 'PONG') return null;
  const isAdmitted = reader.boolean();
  const reason = reader.string();
  const server = reader.string();
  const digest = reader.string();
  if (isAdmitted === undefined || reason === undefined || server === undefined || digest === undefined) return null;
  return { isAdmitted, reason, server, digest };
}

/** Whether who answered knows the key too. Who takes our own name may have sent our own digest back. */
export function isPongOf({ server, digest }: Pong, { nonce }: Helo, { hostname, salt, key }: PingFacts): boolean {
  return server !== hostname && digest === handshakeDigest(salt, server, nonce, key);
}

/** A packed chunk that wants an ack: `[tag, bin entries, {chunk, size}]`. */
export function encodePackedChunk(tag: string, entries: Uint8Array, option: { chunk: string; size: number }): Buffer {
  const writer = new MsgpackWriter(entries.length + tag.length * 3 + 128);
  writer.arrayHeader(3);
  writer.string(tag);
  writer.binary(entries);
  writer.mapHeader(2);
  writer.string('chunk');
  writer.string(option.chunk);
  writer.string('size');
  writer.integer(option.size);
  return writer.take();
}

/** The chunk that the answer acknowledges; null where it is no ack. */
export function decodeAck(frame: Buffer): string | null {
  const reader = new MsgpackReader(frame);
  if (reader.mapHeader() !== 1 || reader.string() !== 'ack') return null;
  return reader.string() ?? null;
}
