// The encoder that kafkajs writes requests with, and what passes for one.

import Encoder from 'kafkajs/src/protocol/encoder.js';
import { patch } from './patch.ts';

/** What kafkajs takes for one of its encoders when it puts the request's header in front. */
export interface EncodedBytes {
  readonly buf: Buffer;
  readonly buffer: Buffer;
  size(): number;
}

export const encoded = (bytes: Buffer): EncodedBytes => ({ buf: bytes, buffer: bytes, size: () => bytes.length });

/**
 * Symptom: a share of the time to send a batch goes into zeros. The original fills a buffer that it makes larger
 * with them before it writes to it.
 * Upstream: https://github.com/tulios/kafkajs/pull/811 brought the buffer that grows; no issue known of the zeros.
 */
export function patchEncoder(): void {
  const at = 'src/protocol/encoder.js: Encoder';
  patch({ at, owner: Encoder.prototype, name: 'ensureAvailable', parameters: 1 }, () => {
    return function ensureAvailable(this: Encoder, length: number): void {
      const needed = this.offset + length;
      if (needed <= this.buf.length) return;
      const larger = Buffer.allocUnsafe(Math.max(needed, this.buf.length * 2));
      this.buf.copy(larger, 0, 0, this.offset);
      this.buf = larger;
    };
  });
}
