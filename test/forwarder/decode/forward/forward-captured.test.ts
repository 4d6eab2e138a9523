// What real senders sent (test/fixtures/forward) is read the same whole, cut at every place, and byte by byte.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { countEntries } from '#shared/msgpack/extents.ts';
import { bytesOf, captured } from '#test/fixtures/forward/captured.ts';
import { readStream, type Seen } from './forward-stream.ts';

const summary = (seen: readonly Seen[]) =>
  seen.map((one) => {
    assert.ok(typeof one !== 'string' && one.kind !== 'malformed' && one.kind !== 'signal');
    assert.equal(countEntries(one.run, 0, one.run.length), one.count);
    const { kind, tag, encoding, count, chunkId } = one;
    return { kind, tag, encoding, count, chunk: chunkId?.toString('latin1') ?? null };
  });

for (const connection of captured) {
  describe(`${connection.from}, ${connection.how}`, () => {
    const bytes = bytesOf(connection);

    test('whole', async () => {
      assert.deepEqual(summary(await readStream([bytes])), connection.frames);
    });

    test('byte by byte', async () => {
      const pieces = Array.from(bytes, (byte) => Buffer.from([byte]));
      assert.deepEqual(summary(await readStream(pieces)), connection.frames);
    });

    test('cut at every place', async () => {
      const whole = await readStream([bytes]);
      // A long text looks the same everywhere.
      const places = Array.from({ length: bytes.length }, (_, at) => at).filter(
        (at) => bytes[at] !== 0x78 || bytes[at - 1] !== 0x78,
      );
      for (const at of places) {
        const seen = await readStream([bytes.subarray(0, at), bytes.subarray(at)]);
        if (at % 16 === 0) assert.deepEqual(seen, whole, `cut at ${at}`);
        else assert.deepEqual(summary(seen), connection.frames, `cut at ${at}`);
      }
    });
  });
}
