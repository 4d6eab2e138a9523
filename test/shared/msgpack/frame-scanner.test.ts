import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import {
  FRAME_MALFORMED,
  FRAME_PASSED,
  FRAME_TOO_LARGE,
  FrameScanner,
  NEED_MORE,
  type ScanResult,
} from '#shared/msgpack/frame-scanner.ts';

const FRAME_BYTES_MAX = 64 * 1024;

/** What comes out of a stream in pieces: frames, then why it broke, if it did. */
function scan(pieces: Iterable<Buffer>, frameBytesMax = FRAME_BYTES_MAX): ScanResult[] {
  const scanner = new FrameScanner({ frameBytesMax });
  const results: ScanResult[] = [];
  for (const piece of pieces) {
    scanner.push(piece);
    for (;;) {
      const result = scanner.next();
      if (result === NEED_MORE) break;
      results.push(result);
      if (!Buffer.isBuffer(result)) return results;
    }
  }
  return results;
}

function* piecesOf(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield Buffer.from(bytes.subarray(at, at + size));
}

const frames = [
  encode(null),
  encode(['tag', 1, { a: 'b' }]),
  encode(['tag', Buffer.alloc(300, 7), { chunk: 'x' }]),
  encode('x'.repeat(70)),
  encode(Array.from({ length: 20 }, (_, i) => [i, { n: i, f: 1.5 }])),
  Buffer.from('dd00000001de0001a16190', 'hex'),
  Buffer.from('c70800' + '0102030405060708', 'hex'),
  encode(-1),
].map((bytes) => Buffer.from(bytes));
const stream = Buffer.concat(frames);

describe('a stream of frames comes out the same', () => {
  test('whole', () => assert.deepEqual(scan([stream]), frames));
  for (const size of [1, 2, 3, 5, 7, 64, 299]) {
    test(`in pieces of ${size}`, () => assert.deepEqual(scan(piecesOf(stream, size)), frames));
  }
  test('cut at every place', () => {
    for (let cut = 0; cut <= stream.length; cut += 1) {
      assert.deepEqual(scan([stream.subarray(0, cut), stream.subarray(cut)]), frames, `cut at ${cut}`);
    }
  });
  test('cut at random places, large frames among small ones', () => {
    const mixed = [...frames, Buffer.from(encode(Buffer.alloc(20_000, 1))), ...frames];
    const whole = Buffer.concat(mixed);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: whole.length }), { maxLength: 12 }), (cuts) => {
        const places = [0, ...cuts.toSorted((a, b) => a - b), whole.length];
        const pieces = places.slice(1).map((place, i) => Buffer.from(whole.subarray(places[i], place)));
        assert.deepEqual(scan(pieces), mixed);
      }),
      { numRuns: 200 },
    );
  });
  test('with empty pieces', () => assert.deepEqual(scan([Buffer.alloc(0), stream, Buffer.alloc(0)]), frames));
});

describe('a stream breaks', () => {
  const check = (what: string, bytes: Buffer, expected: ScanResult, frameBytesMax = FRAME_BYTES_MAX) => {
    test(what, () => assert.deepEqual(scan([bytes], frameBytesMax), [expected]));
    test(`${what}, byte by byte`, () => assert.deepEqual(scan(piecesOf(bytes, 1), frameBytesMax), [expected]));
  };
  const hex = (text: string) => Buffer.from(text, 'hex');

  check('at the byte that is never used', hex('c1'), FRAME_MALFORMED);
  check('at that byte inside', hex('9201c1'), FRAME_MALFORMED);
  check('at a nesting of 100,000', Buffer.alloc(100_000, 0x91), FRAME_MALFORMED);
  check('at a str of 4 GiB', hex('dbffffffff'), FRAME_TOO_LARGE);
  check('at an ext of 4 GiB', hex('c9ffffffff'), FRAME_TOO_LARGE);
  check('at an array of 4 G elements', hex('ddffffffff'), FRAME_TOO_LARGE);
  check('at a map of half the limit in pairs', hex('df00008001'), FRAME_TOO_LARGE);
  check('at a bin over the limit', hex('c50100'), FRAME_TOO_LARGE, 200);
  check('where small values add up', Buffer.concat([hex('dc0064'), Buffer.alloc(100, 1)]), FRAME_TOO_LARGE, 102);

  test('and nothing comes after it', () => {
    const scanner = new FrameScanner({ frameBytesMax: 10 });
    scanner.push(Buffer.from('c1c0', 'hex'));
    assert.equal(scanner.next(), FRAME_MALFORMED);
    assert.equal(scanner.next(), FRAME_MALFORMED);
    scanner.push(Buffer.from('c0', 'hex'));
    assert.equal(scanner.next(), FRAME_MALFORMED);
  });
});

test('a frame of exactly the limit passes', () => {
  const frame = Buffer.from(encode(Buffer.alloc(198)));
  assert.equal(frame.length, 200);
  assert.deepEqual(scan([frame], 200), [frame]);
  assert.deepEqual(scan(piecesOf(frame, 1), 200), [frame]);
});

test('a frame that lies in one piece is not copied', () => {
  const scanner = new FrameScanner({ frameBytesMax: FRAME_BYTES_MAX });
  const piece = Buffer.from(stream);
  scanner.push(piece);
  const frame = scanner.next();
  assert.ok(Buffer.isBuffer(frame));
  assert.equal(frame.buffer, piece.buffer);
});

test('bytes past the limit are not held', () => {
  const scanner = new FrameScanner({ frameBytesMax: 1000 });
  scanner.push(Buffer.concat([Buffer.from('dc03e0', 'hex'), Buffer.alloc(500, 1)]));
  assert.equal(scanner.next(), NEED_MORE);
  assert.equal(scanner.heldBytes, 503);
  // Texts of ten bytes each, so that only their sum is too large.
  scanner.push(Buffer.concat(Array.from({ length: 60 }, () => Buffer.from('a9616161616161616161', 'hex'))));
  assert.equal(scanner.next(), FRAME_TOO_LARGE);
  assert.equal(Buffer.concat(scanner.takeUnread()).length, 1103);
  assert.equal(scanner.heldBytes, 0);
});

test('what is no frame yet can be taken, and the scanner begins anew', () => {
  const scanner = new FrameScanner({ frameBytesMax: 1000 });
  const [first, second] = [Buffer.from(encode(['a', 1])), Buffer.from(encode(['b', 'x'.repeat(50)]))];
  scanner.push(Buffer.concat([first, second.subarray(0, 4)]));
  assert.deepEqual(scanner.next(), first);
  assert.deepEqual(Buffer.concat(scanner.takeUnread()), second.subarray(0, 4));
  scanner.push(second);
  assert.deepEqual(scanner.next(), second);
});

describe('frames larger than what is kept are passed over', () => {
  const large = Buffer.from(encode(['tag', Buffer.alloc(5000, 0xc1), { a: 1 }]));
  const small = Buffer.from(encode(['b', 1]));
  for (const size of [1, 3, 700, 20_000]) {
    test(`in pieces of ${size}`, () => {
      const scanner = new FrameScanner({ frameBytesMax: 10_000, keepBytesMax: 1000 });
      const results: ScanResult[] = [];
      for (const piece of piecesOf(Buffer.concat([small, large, small]), size)) {
        scanner.push(piece);
        for (let result = scanner.next(); result !== NEED_MORE; result = scanner.next()) results.push(result);
        assert.ok(scanner.heldBytes <= 1000, `${scanner.heldBytes} bytes are held`);
      }
      assert.deepEqual(results, [small, FRAME_PASSED, small]);
    });
  }
  test('up to the limit', () => {
    const scanner = new FrameScanner({ frameBytesMax: 3000, keepBytesMax: 1000 });
    const results: ScanResult[] = [];
    for (const piece of piecesOf(Buffer.concat(Array.from({ length: 10 }, () => large.subarray(0, 600))), 600)) {
      scanner.push(piece);
      results.push(scanner.next());
    }
    assert.ok(results.includes(FRAME_TOO_LARGE));
  });
});

test('never throws', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 8 }), (pieces) => {
      const whole = scan([Buffer.concat(pieces)], 100);
      const cut = scan(
        pieces.map((piece) => Buffer.from(piece)),
        100,
      );
      assert.deepEqual(cut.filter(Buffer.isBuffer), whole.filter(Buffer.isBuffer));
    }),
    { numRuns: 500 },
  );
});
