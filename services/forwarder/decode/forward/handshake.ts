// The handshake of the Forward protocol, before its first chunk:
//
//   server  ["HELO", {"nonce": bin 16, "auth": bin 16 or "", "keepalive": true}]   auth: a salt if users log in
//   client  ["PING", hostname, salt, sha512hex(salt hostname nonce key), user, sha512hex(auth user password)]
//   server  ["PONG", true, "", server, sha512hex(salt server nonce key)]     or     ["PONG", false, reason, "", ""]
//
// https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1#handshake-messages
// Guarantees: pure; never throws for a peer's bytes; every text of a PING is bounded.

import { createHash } from 'node:crypto';
import { isUtf8 } from 'node:buffer';
import { MsgpackReader } from '#shared/msgpack/reader.ts';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';

/** Of the nonce and of the salt for passwords. */
export const NONCE_BYTES = 16;
/** Largest PING: names of 1 KiB, a salt, two digests of 128 digits. */
export const PING_BYTES_MAX = 4096;
const WORD_BYTES_MAX = 1024;
const PING_ELEMENTS = 6;

export interface Ping {
  /** Valid UTF-8, at least one byte; it names the sender. */
  readonly hostname: Buffer;
  readonly salt: Buffer;
  readonly keyDigest: Buffer;
  readonly user: Buffer;
  readonly passwordDigest: Buffer;
}

const writer = new MsgpackWriter();

/** `authSalt`: null where no user is asked for. */
export function encodeHelo(nonce: Uint8Array, authSalt: Uint8Array | null): Buffer {
  writer.reset();
  writer.arrayHeader(2);
  writer.string('HELO');
  writer.mapHeader(3);
  writer.string('nonce');
  writer.binary(nonce);
  writer.string('auth');
  if (authSalt === null) writer.string('');
  else writer.binary(authSalt);
  writer.string('keepalive');
  writer.boolean(true);
  return writer.take();
}

/** `frame`: one whole msgpack value. Null where it is no PING. Salts and digests come as str or as bin. */
export function decodePing(frame: Buffer): Ping | null {
  const reader = new MsgpackReader(frame);
  if (reader.arrayHeader() !== PING_ELEMENTS || reader.bytes()?.toString('latin1') !== 'PING') return null;
  const hostname = reader.bytes();
  const salt = reader.bytes();
  const keyDigest = reader.bytes();
  const user = reader.bytes();
  const passwordDigest = reader.bytes();
  if (!hostname || !salt || !keyDigest || !user || !passwordDigest || !reader.done) return null;
  if (hostname.length === 0 || hostname.length > WORD_BYTES_MAX || !isUtf8(hostname)) return null;
  return { hostname, salt, keyDigest, user, passwordDigest };
}

/** We know the key too, as the digest shows. */
export function encodePong(server: string, digest: string): Buffer {
  return pong(true, '', server, digest);
}

export function encodeRefusal(reason: string): Buffer {
  return pong(false, reason, '', '');
}

function pong(isAdmitted: boolean, reason: string, server: string, digest: string): Buffer {
  writer.reset();
  writer.arrayHeader(5);
  writer.string('PONG');
  writer.boolean(isAdmitted);
  writer.string(reason);
  writer.string(server);
  writer.string(digest);
  return writer.take();
}

/** All of the handshake's digests: SHA-512 over the parts, one after another, as hexadecimal digits. */
export function handshakeDigest(...parts: readonly (Uint8Array | string)[]): string {
  const hash = createHash('sha512');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}
