// Every event has a name from birth: the identity of its batch, and its index in it. All retries from the sender to the
// store carry the same name, so a second write of an event is seen to be one. Different content is never merged: the
// content's checksum and length are part of the name, beside the chunk id that its sender chose. Names begin with a
// time, because a store finds what is sorted with much less work; a time that a repeat would not have is never part of
// the name of what can be repeated.
//
//   identity (16)   time ms (6) | ten bytes
//     chunk id      the first entry's own time, 0 if it has none | the first ten bytes of SHA-256 over what is hashed
//     no chunk id   the time of receipt | ten random bytes
//   hashed          length (u32) tenant | length sender | length tag | length chunk id |
//                   8 (u32) crc32 (u32) length (u32)
//                   no tenant: length ff ff ff ff and no bytes; all integers big-endian; texts as UTF-8
//
//   `_id` of entry i of a batch
//     version 1     hex(identity) "-" i
//     version 2     base64url(identity | i as u32), unpadded: 27 letters
//     by position   base64url(time ms (6) of the entry | chain after it (16)): 30 letters; see chain.ts

import { hash, randomFillSync } from 'node:crypto';
import { nameTimeMs } from './entry-time.ts';

export interface ChunkName {
  /** The first entry's own time; see `entryTimeMs`. */
  readonly timeMs: number;
  readonly tenant: string | null;
  readonly sender: string;
  readonly tag: string;
  /** As the sender gave it. */
  readonly chunkId: Uint8Array;
  /** CRC-32 (zlib) and length of the content: the uncompressed entries, or the body that they were made of. */
  readonly crc32: number;
  readonly length: number;
}

/** Of a batch, what its events' names are made of. */
export interface NamedBatch {
  readonly version: 1 | 2;
  readonly id: Uint8Array;
  readonly first: number;
  readonly receivedMs: number;
  readonly chain: Uint8Array | null;
  readonly names?: PositionNames;
}

/** The names of the entries of a batch by position, derived from their bytes; see chain.ts. */
export interface PositionNames {
  /** `POSITION_NAME_BYTES` for each entry, in order. */
  readonly bytes: Uint8Array;
  /** The least of their times. */
  readonly earliestMs: number;
}

export const IDENTITY_BYTES = 16;
export const NAME_TIME_BYTES = 6;
export const POSITION_NAME_BYTES = 22;
/** Version 2 has four bytes for an index. */
export const INDEX_END = 2 ** 32;

const NO_TENANT = 0xffffffff;
/** Holds the names of all but absurd senders; a longer one gets a buffer of its own. */
const scratch = Buffer.allocUnsafeSlow(8192);
const idScratch = Buffer.allocUnsafeSlow(IDENTITY_BYTES + 4);

/** The time, and ten bytes of SHA-256 over the other fields, each length-prefixed. */
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
  return hashedIdentity(name.timeMs, bytes.subarray(0, at));
}

/** An identity that is a function of a time and of bytes. */
export function hashedIdentity(timeMs: number, hashed: Uint8Array | string): Buffer {
  const digest = hash('sha256', hashed, 'buffer');
  digest.copyWithin(NAME_TIME_BYTES, 0, IDENTITY_BYTES - NAME_TIME_BYTES);
  digest.writeUIntBE(nameTimeMs(timeMs), 0, NAME_TIME_BYTES);
  return digest.subarray(0, IDENTITY_BYTES);
}

/** Random bytes are cheap by the page, not by the name. */
const RANDOM_PAGE_BYTES = 256 * IDENTITY_BYTES;
let randomPage = Buffer.alloc(0);
let randomAt = 0;

/** For a batch whose sender gave no chunk id: the time of receipt and ten random bytes, given once, at acceptance. */
export function randomIdentity(receivedMs: number): Buffer {
  if (randomAt === randomPage.length) {
    randomPage = randomFillSync(Buffer.allocUnsafeSlow(RANDOM_PAGE_BYTES));
    randomAt = 0;
  }
  randomPage.writeUIntBE(nameTimeMs(receivedMs), randomAt, NAME_TIME_BYTES);
  randomAt += IDENTITY_BYTES;
  return randomPage.subarray(randomAt - IDENTITY_BYTES, randomAt);
}

/** `_id` of the entry `index`, the batch's `first` included. A batch by position must have its names. */
export function documentId(batch: NamedBatch, index: number): string {
  if (batch.version === 1) return `${batch.id.toHex()}-${index}`;
  if (batch.names !== undefined) {
    const at = (index - batch.first) * POSITION_NAME_BYTES;
    const name = batch.names.bytes.subarray(at, at + POSITION_NAME_BYTES);
    return Buffer.from(name.buffer, name.byteOffset, name.length).toString('base64url');
  }
  idScratch.set(batch.id);
  idScratch.writeUInt32BE(index, IDENTITY_BYTES);
  return idScratch.toString('base64url');
}

/**
 * The time in the names of a batch, ms since the epoch: no repeat of its events has another. 0 where they have none.
 * Version 1 has no time in its names: that of receipt. Of a batch by position the least of its entries' times.
 */
export function identityTimeMs({ version, id, receivedMs, chain, names }: NamedBatch): number {
  if (version === 1) return receivedMs;
  if (chain !== null) return names?.earliestMs ?? 0;
  return Buffer.from(id.buffer, id.byteOffset, id.length).readUIntBE(0, NAME_TIME_BYTES);
}

function writeText(bytes: Buffer, at: number, text: string): number {
  const size = bytes.write(text, at + 4);
  bytes.writeUInt32BE(size, at);
  return at + 4 + size;
}
