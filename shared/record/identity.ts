// Every event has a name from birth: the identity of its batch, and its index in it. All retries from the sender to the store
// carry the same name, so a second write of an event is seen to be one. Different content is never merged: the content's
// checksum and length are part of the name, beside the chunk id that its sender chose.
//
//   hashed   length (u32) tenant | length sender | length tag | length chunk id | 8 (u32) crc32 (u32) length (u32)
//            no tenant: length ff ff ff ff and no bytes; all integers big-endian; texts as UTF-8

import { hash, randomFillSync } from 'node:crypto';

export interface ChunkName {
  readonly tenant: string | null;
  readonly sender: string;
  readonly tag: string;
  /** As the sender gave it. */
  readonly chunkId: Uint8Array;
  /** CRC-32 (zlib) and length of the uncompressed entries. */
  readonly crc32: number;
  readonly length: number;
}

export const IDENTITY_BYTES = 16;

const NO_TENANT = 0xffffffff;
/** Holds the names of all but absurd senders; a longer one gets a buffer of its own. */
const scratch = Buffer.allocUnsafeSlow(8192);

/** First 16 bytes of SHA-256 over the fields, each length-prefixed. */
export function chunkIdentity(name: ChunkName): Buffer {
  // A UTF-16 unit becomes three bytes at most.
  const bytesMax = 3 * ((name.tenant?.length ?? 0) + name.sender.length + name.tag.length) + name.chunkId.length + 28;
  const bytes = bytesMax <= scratch.length ? scratch : Buffer.allocUnsafe(bytesMax);
  let at = 0;
  if (name.tenant === null) at = bytes.writeUInt32BE(NO_TENANT, at);
  else at = writeText(bytes, at, name.tenant);
  at = writeText(bytes, at, name.sender);
  at = writeText(bytes, at, name.tag);
  at = bytes.writeUInt32BE(name.chunkId.length, at);
  bytes.set(name.chunkId, at);
  at += name.chunkId.length;
  at = bytes.writeUInt32BE(8, at);
  at = bytes.writeUInt32BE(name.crc32, at);
  at = bytes.writeUInt32BE(name.length, at);
  return hash('sha256', bytes.subarray(0, at), 'buffer').subarray(0, IDENTITY_BYTES);
}

/** Random bytes are cheap by the page, not by the name. */
const RANDOM_PAGE_BYTES = 256 * IDENTITY_BYTES;
let randomPage = Buffer.alloc(0);
let randomAt = 0;

/** For a batch whose sender gave no chunk id: 16 random bytes, given once, at acceptance. */
export function randomIdentity(): Buffer {
  if (randomAt === randomPage.length) {
    randomPage = randomFillSync(Buffer.allocUnsafeSlow(RANDOM_PAGE_BYTES));
    randomAt = 0;
  }
  randomAt += IDENTITY_BYTES;
  return randomPage.subarray(randomAt - IDENTITY_BYTES, randomAt);
}

/** `_id` of entry `index`: 32 hex digits, "-", decimal index. */
export function documentId(id: Uint8Array, index: number): string {
  return `${id.toHex()}-${index}`;
}

function writeText(bytes: Buffer, at: number, text: string): number {
  const size = bytes.write(text, at + 4);
  bytes.writeUInt32BE(size, at);
  return at + 4 + size;
}
