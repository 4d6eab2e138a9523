import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { JsonScanner } from '#forwarder/decode/forward/json-mode.ts';
import { FRAME_MALFORMED, FRAME_TOO_LARGE, NEED_MORE, type ScanResult } from '#shared/msgpack/frame-scanner.ts';
import { readStream } from './forward-stream.ts';

function scan(pieces: Iterable<Buffer>, frameBytesMax = 4096): (string | ScanResult)[] {
  const scanner = new JsonScanner({ frameBytesMax });
  const results: (string | ScanResult)[] = [];
  for (const piece of pieces) {
    scanner.push(piece);
    for (;;) {
      const result = scanner.next();
      if (result === NEED_MORE) break;
      results.push(Buffer.isBuffer(result) ? result.toString() : result);
      if (!Buffer.isBuffer(result)) return results;
    }
  }
  return results;
}

describe('texts are cut out of', () => {
  const check = (what: string, stream: string, expected: (string | number)[], frameBytesMax?: number) => {
    const bytes = Buffer.from(stream);
    test(what, () => assert.deepEqual(scan([bytes], frameBytesMax), expected));
    test(`${what}, byte by byte`, () =>
      assert.deepEqual(
        scan(
          Array.from(bytes, (byte) => Buffer.from([byte])),
          frameBytesMax,
        ),
        expected,
      ));
  };

  check('nothing', '', []);
  check('white space', ' \r\n\t', []);
  check('one', '["a",1,{}]', ['["a",1,{}]']);
  check('two, one behind the other', '["a"]{"b":[]}', ['["a"]', '{"b":[]}']);
  check('two with new lines', '\n["a"]\r\n ["b"]\n', ['["a"]', '["b"]']);
  check('brackets in texts', '["]}[{"]["x"]', ['["]}[{"]', '["x"]']);
  check('quotes and backslashes in texts', String.raw`["\"]","\\"]["\\\"]"]`, [
    String.raw`["\"]","\\"]`,
    String.raw`["\\\"]"]`,
  ]);
  check('one that is not complete', '["a"]["b"', ['["a"]']);
  check('something between them', '["a"],["b"]', ['["a"]', FRAME_MALFORMED]);
  check('no container', '"a"', [FRAME_MALFORMED]);
  check('a closing bracket first', ']', [FRAME_MALFORMED]);
  check('a nesting of 200', '['.repeat(200), [FRAME_MALFORMED]);
  check('one past the limit', `["${'x'.repeat(20)}"]`, [FRAME_TOO_LARGE], 20);
  check('one of exactly the limit', `["${'x'.repeat(16)}"]`, [`["${'x'.repeat(16)}"]`], 20);
  check('one that would pass the limit', `["${'x'.repeat(30)}`, [FRAME_TOO_LARGE], 20);
});

test('behind a whole text nothing is held', () => {
  for (const behind of ['', '\r\n ']) {
    const scanner = new JsonScanner({ frameBytesMax: 4096 });
    scanner.push(Buffer.from(`["a"]${behind}`));
    assert.ok(Buffer.isBuffer(scanner.next()));
    assert.deepEqual([scanner.next(), scanner.heldBytes], [NEED_MORE, 0]);
  }
});

test('JSON.stringify of anything, cut anywhere', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.jsonValue({ maxDepth: 4 })), { maxLength: 4 }),
      fc.array(fc.nat(500)),
      (values, cuts) => {
        const texts = values.map((value) => JSON.stringify(value));
        const bytes = Buffer.from(texts.join(' '));
        const places = [0, ...cuts.toSorted((a, b) => a - b).filter((cut) => cut < bytes.length), bytes.length];
        const pieces = places.slice(1).map((place, i) => Buffer.from(bytes.subarray(places[i], place)));
        assert.deepEqual(scan(pieces, 1024 * 1024), texts);
      },
    ),
  );
});

describe('a text becomes a frame', () => {
  const check = (what: string, text: string, kind: string, entries?: unknown, chunk?: string) =>
    test(what, async () => {
      const [seen] = await readStream([Buffer.from(text)]);
      assert.ok(typeof seen === 'object');
      assert.equal(seen.kind, kind);
      if (!('run' in seen)) return;
      assert.deepEqual(decode(Buffer.concat([Buffer.from([0x90 | seen.count]), seen.run])), entries);
      assert.equal(seen.chunkId?.toString(), chunk);
    });

  check('a message', '["tag",1700000000,{"a":"é"}]', 'message', [[1_700_000_000, { a: 'é' }]]);
  check('a message at a float', '["tag",1.5,{}]', 'message', [[1.5, {}]]);
  check('a message at null', '["tag",null,{}]', 'message', [[null, {}]]);
  check('a chunk id', '["tag",1,{},{"chunk":"x\\n"}]', 'message', [[1, {}]], 'x\n');
  check(
    'entries',
    '["tag",[[1,{"n":1}],[2,{"n":2}]],{"chunk":"x"}]',
    'forward',
    [
      [1, { n: 1 }],
      [2, { n: 2 }],
    ],
    'x',
  );
  check('a tag that is a number', '[1,1,{}]', 'malformed');
  check('an object', '{"tag":"a"}', 'malformed');
  check('JSON that is none', '["tag",1,{a:1}]', 'malformed');
  check('brackets that do not match', '["tag",1,{]]', 'malformed');
});

test('a text has a limit of its own, whatever a frame may have, for it is converted in one go', async () => {
  const text = (bytes: number): Buffer => Buffer.from(`["a",1,{"b":"${'x'.repeat(bytes - 16)}"}]`);
  const kindOf = async (bytes: number): Promise<string | undefined> => {
    assert.equal(text(bytes).length, bytes);
    const [seen] = await readStream([text(bytes)], 64 * 1024 * 1024);
    return typeof seen === 'object' ? seen.kind : seen;
  };
  assert.equal(await kindOf(512 * 1024), 'message');
  assert.equal(await kindOf(512 * 1024 + 1), 'frame too large');
});
