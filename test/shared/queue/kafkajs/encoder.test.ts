// The patch of the encoder's buffer: it grows without being filled with zeros, and keeps what was written.

import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import { patchEncoder } from '#shared/queue/kafka/kafkajs/patches/encoder.ts';

/** Writes more than there is room for; returns how many buffers were filled with zeros for it. */
function zeroed(): number {
  const encoder = new Encoder(8);
  const filled = mock.method(Buffer, 'alloc');
  encoder.writeBytes(Buffer.from('abc')).writeBytes(Buffer.alloc(100, 'x'));
  filled.mock.restore();
  const written = encoder.buf.subarray(0, encoder.offset);
  assert.equal(written.toString('latin1'), `\0\0\0\u0003abc\0\0\0d${'x'.repeat(100)}`);
  // One is the test's own.
  return filled.mock.callCount() - 1;
}

test('a buffer that grows is not filled with zeros', () => {
  assert.ok(zeroed() > 0, 'of itself kafkajs fills it');
  patchEncoder();
  assert.equal(zeroed(), 0);
});
