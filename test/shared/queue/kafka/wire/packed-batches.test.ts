// LZ4 and Snappy as producers of Kafka pack batches. Blocks of LZ4 are put together by hand, after its documents; those
// of Snappy by snappyjs.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { compress } from 'snappyjs';
import { unpackLz4 } from '#shared/queue/kafka/wire/lz4.ts';
import { unpackSnappyBlocks } from '#shared/queue/kafka/wire/snappy-blocks.ts';
import { batchOf, decoded, many } from './fetch-answers.ts';

const MAX = 1024 * 1024;

function frame(blocks: readonly Buffer[], { flags = 0x60, tail = '' } = {}): Buffer {
  const sized = blocks.map((block) => {
    const size = Buffer.alloc(4);
    size.writeUInt32LE(block.length);
    return Buffer.concat([size, block]);
  });
  const contentSize = (flags & 0x08) === 0 ? '' : '0000000000000000';
  const header = Buffer.from(`04224d18${flags.toString(16)}40${contentSize}00`, 'hex');
  return Buffer.concat([header, ...sized, Buffer.alloc(4), Buffer.from(tail, 'hex')]);
}

/** A block as it is. */
function plain(bytes: Buffer): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32LE(bytes.length + 0x8000_0000);
  return Buffer.concat([Buffer.from('04224d18604000', 'hex'), size, bytes, Buffer.alloc(4)]);
}

/** Literals alone. */
function literals(bytes: Buffer): Buffer {
  const rest = bytes.length - 15;
  const more = rest < 0 ? [] : [...Array<number>(Math.floor(rest / 255)).fill(255), rest % 255];
  return Buffer.concat([Buffer.from([Math.min(15, bytes.length) << 4, ...more]), bytes]);
}

suite('LZ4', () => {
  const check = (what: string, packed: Buffer, expected: string | null, bytesMax = MAX): void => {
    test(what, () => {
      const unpacked = unpackLz4(packed, bytesMax);
      assert.equal(unpacked.kind === 'bytes' ? unpacked.bytes.toString('latin1') : null, expected);
    });
  };
  const abc = Buffer.from('3161626303005064656667 68'.replaceAll(' ', ''), 'hex');
  check('literals, a match, literals', frame([abc]), 'abcabcabdefgh'.slice(0, 8) + 'defgh');
  // "a", then 300 times what is one byte back.
  check(
    'a match that repeats itself',
    frame([Buffer.from('1f61010' + '0ff1a5062626262 62'.replaceAll(' ', ''), 'hex')]),
    `a${'a'.repeat(4 + 15 + 255 + 26)}bbbbb`,
  );
  check('many literals', frame([literals(Buffer.alloc(1000, 'x'))]), 'x'.repeat(1000));
  check(
    'blocks, with checksums and a size',
    frame([literals(Buffer.from('one')), literals(Buffer.from('two'))], { flags: 0x6c, tail: '00000000' }),
    'onetwo',
  );
  check('a block as it is', plain(Buffer.from('plain')), 'plain');
  check('two frames', Buffer.concat([plain(Buffer.from('one')), frame([literals(Buffer.from('two'))])]), 'onetwo');
  check('no frame', Buffer.from('no frame at all'), null);
  check('nothing', Buffer.alloc(0), null);
  check('a match before the beginning', frame([Buffer.from('1061ff00506262626262', 'hex')]), null);
  check('an offset of zero', frame([Buffer.from('10610000506262626262', 'hex')]), null);
  check('a dictionary', frame([literals(Buffer.from('one'))], { flags: 0x61 }), null);
  check('more than may be', frame([Buffer.from(`1f610100${'ff'.repeat(200)}00506262626262`, 'hex')]), null, 1000);
  const whole = frame([abc]);
  for (let end = 0; end < whole.length; end++) check(`cut at ${end}`, whole.subarray(0, end), null);
});

test('random bytes in a frame are unpacked or not, and never throw', () => {
  let state = 1;
  const random = (): number => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) >>> 16;
  for (let i = 0; i < 2000; i++) {
    const block = Buffer.from(Array.from({ length: random() % 60 }, () => random() & 0xff));
    const { kind } = unpackLz4(frame([block]), 4096);
    assert(['bytes', 'malformed', 'too_large'].includes(kind));
  }
});

suite('Snappy', () => {
  const block = (text: string): Buffer => Buffer.from(compress(Buffer.from(text)));
  const xerial = (...blocks: readonly Buffer[]): Buffer => {
    const sized = blocks.flatMap((one) => [Buffer.from(one.length.toString(16).padStart(8, '0'), 'hex'), one]);
    return Buffer.concat([Buffer.from('82534e4150505900', 'hex'), Buffer.from('0000000100000001', 'hex'), ...sized]);
  };
  const check = (what: string, packed: Buffer, expected: string | null | undefined, bytesMax = MAX): void => {
    test(what, () => {
      const unpacked = unpackSnappyBlocks(packed, bytesMax);
      assert.equal(unpacked ? unpacked.toString() : unpacked, expected);
    });
  };
  check('one block', block('one'), 'one');
  check('blocks in a frame', xerial(block('one'), block('two')), 'onetwo');
  check('a frame that is cut', xerial(block('one')).subarray(0, -1), undefined);
  check('a block that is none', xerial(Buffer.alloc(9, 1)), undefined);
  check('a size below zero', xerial(block('one')).fill(0xff, 16, 20), undefined);
  check('more than may be', xerial(block('x'.repeat(700)), block('x'.repeat(700))), null, 1000);
});

test('batches in both codecs are read as others are', async () => {
  const batches = [
    batchOf(0, { codec: 2, count: 2, bytes: Buffer.from(compress(many(2))) }),
    batchOf(2, { codec: 3, count: 2, bytes: frame([literals(many(2))]) }),
  ];
  assert.deepEqual(await decoded([batches]), [[0, 1, 2, 3].map((offset) => [offset, 'x', 0])]);
});
