// The option of a frame, whatever its structure: read or refused, never thrown at, and never read past its end.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { decodeOption } from '#forwarder/decode/forward/forward-option.ts';
import { ForwardDecoder } from '#forwarder/decode/forward/forward-frame.ts';
import { FramePasser, oversizedEntries } from '#forwarder/decode/forward/oversized-frame.ts';

const value = fc.oneof(
  fc.string(),
  fc.uint8Array({ maxLength: 20 }),
  fc.integer(),
  fc.constantFrom(null, true, 1.5, [], {}, [[]], { chunk: 'inner' }),
);
const name = fc.constantFrom('chunk', 'size', 'compressed', 'fluent_signal', '__proto__', '', 'x');
const option = fc.dictionary(name, value, { maxKeys: 6 });

test('any map is read or refused', () => {
  fc.assert(
    fc.property(option, (fields) => {
      const bytes = Buffer.from(encode(fields));
      const decoded = decodeOption(bytes, 0, bytes.length);
      const { chunk = null, fluent_signal: signal = null } = fields as Record<string, unknown>;
      const isId = chunk === null || typeof chunk === 'string' || chunk instanceof Uint8Array;
      const isSignal = signal === null || Number.isSafeInteger(signal);
      const { compressed = null } = fields as Record<string, unknown>;
      const isWord = compressed === null || typeof compressed === 'string' || compressed instanceof Uint8Array;
      assert.equal(decoded !== null, isId && isSignal && isWord, JSON.stringify(fields));
      if (chunk !== null) assert.deepEqual(decoded?.chunk ?? null, isId && decoded ? Buffer.from(encode(chunk)) : null);
    }),
    { numRuns: 500 },
  );
});

test('cut anywhere, or with bytes left over, it is none', () => {
  fc.assert(
    fc.property(option, fc.nat(), (fields, seed) => {
      const bytes = Buffer.from(encode(fields));
      assert.equal(decodeOption(bytes, 0, seed % bytes.length), null);
      assert.equal(decodeOption(Buffer.concat([bytes, Buffer.of(0xc0)]), 0, bytes.length + 1), null);
    }),
  );
});

for (const [bytesMax, isRead] of [
  [4096, true],
  [4097, false],
] as const) {
  test(`an option of ${bytesMax} bytes is ${isRead ? 'read' : 'none'}, in a small frame as in a large one`, () => {
    const padding = (size: number): Buffer => Buffer.from(encode({ chunk: 'id', pad: 'x'.repeat(size) }));
    const bytes = padding(bytesMax - padding(1000).length + 1000);
    assert.equal(bytes.length, bytesMax);
    const small = Buffer.concat([Buffer.of(0x93), encode('app'), encode([[1, {}]]), bytes]);
    const body = Buffer.from(encode([[1, { log: 'x'.repeat(5000) }]]));
    const large = Buffer.concat([Buffer.of(0x93), encode('app'), body, bytes]);
    const passed = FramePasser.of(large, large.length)?.next();
    assert.ok(typeof passed === 'object');
    const kinds = [new ForwardDecoder().decode(small).kind, oversizedEntries(passed, body)?.kind];
    assert.deepEqual(kinds, isRead ? ['forward', 'forward'] : ['malformed', 'malformed']);
  });
}

test('random bytes are no reason to throw, nor to hold more than comes', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 6 }), (pieces) => {
      const [first, ...more] = pieces.map((piece) => Buffer.from(piece));
      decodeOption(first ?? Buffer.alloc(0), 0, first?.length ?? 0);
      const passer = FramePasser.of(first ?? Buffer.alloc(0), 1_000_000);
      if (!passer) return;
      let result = passer.next();
      for (const piece of more) {
        if (result !== 0) break;
        passer.push(piece);
        result = passer.next();
      }
      assert.ok(passer.heldBytes <= 2 * Buffer.concat(pieces).length + 8);
    }),
    { numRuns: 500 },
  );
});
