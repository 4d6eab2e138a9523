declare module 'snappyjs' {
  /** Throws at what is no Snappy block, or unpacks to more than `maxLength` bytes. */
  export function uncompress(block: Buffer, maxLength: number): Buffer;
  export function compress(bytes: Buffer): Buffer;
}
