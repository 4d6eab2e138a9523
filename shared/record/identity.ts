// Every event has a name from birth. (brief: to be written)

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

/** First 16 bytes of SHA-256 over the fields, each length-prefixed. */
export declare function chunkIdentity(name: ChunkName): Buffer;
/** For a batch whose sender gave no chunk id: 16 random bytes, given once, at acceptance. */
export declare function randomIdentity(): Buffer;
/** `_id` of entry `index`: 32 hex digits, "-", decimal index. */
export declare function documentId(id: Uint8Array, index: number): string;
