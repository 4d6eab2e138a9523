// Lines of an export: there and back with nothing changed, whatever the document says; lines of others; and streams cut
// anywhere.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { documentLine, documentOf } from '../../../services/sluice/store/document-line.ts';
import { linesOf } from '../../../services/sluice/store/line-splitter.ts';

const line = (source: string): string => `{"_index":"logs-a-b","_id":"x1","_source":${source}}`;

suite('a document comes back as it was', () => {
  const check = (source: string, id = 'AZ-_"\\9', stream = 'logs-sluice-default') => {
    const document = { id, stream, source };
    assert.deepEqual(documentOf(documentLine(document).trimEnd()), document);
  };
  test('numbers as they were written', () =>
    check('{"a":1.0,"b":12345678901234567890,"c":-0,"d":1e400,"e":0.1000,"f":[1.50]}'));
  test('keys in their order, and twice', () => check('{"b":1,"2":1,"1":2,"b":3,"":4,"__proto__":{}}'));
  test('spaces and escapes', () => check('{ "a" : "\\u0041\\/\\ud83d\\ude00 \u2028 \u007f" , "b":{ } }'));
  test('what looks like the end of a line of an export', () => check('{"a":"}","_source":{"_id":"y"},"b":"}}\\""}'));
  test('nothing', () => check('{}'));
  test('names that are longer than Elasticsearch takes, and end in odd ways', () => {
    check('{ "a":1.0}', 'é'.repeat(2000), 's'.repeat(60_000));
    check('{ "a":1.0}', '\\', '"\\"');
    check('{ "a":1.0}', '","_source":{', '","_id":"');
  });
  test('megabytes', () => check(JSON.stringify({ message: '\\"x\u0000'.repeat(1_000_000) })));
  test('any', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, maxLength: 100 }),
        fc.dictionary(fc.string(), fc.jsonValue()),
        (id, value) => {
          const document = { id: id.toWellFormed(), stream: 'logs', source: JSON.stringify(value) };
          assert.deepEqual(documentOf(documentLine(document).trimEnd()), document);
        },
      ),
    );
  });
});

suite('lines that others wrote', () => {
  const check = (text: string, expected: string | { id: string; stream: string; source: string }) =>
    assert.deepEqual(documentOf(text), expected);
  const document = { id: 'x1', stream: 'logs-a-b', source: '{"a":12345678901234567890}' };
  test('in another order, with more keys', () => {
    check('{"_id":"x1","_score":1,"_index":"logs-a-b","_source":{"a":12345678901234567890}}', document);
    check('{"_index":"logs-a-b","_id":"x1","_source":{"a":12345678901234567890},"sort":[1]}', document);
    check('{ "_index": "logs-a-b", "_id": "x1", "_source": { "a": 12345678901234567890 } }', document);
  });
  test('refused', () => {
    check('', 'it is no JSON');
    check('{"_index":"a"', 'it is no JSON');
    check(line('{"a":1}').slice(0, -1), 'it is no JSON');
    check(`${line('{"a":1}')}}`, 'it is no JSON');
    check('[]', 'it is no JSON object');
    check('null', 'it is no JSON object');
    check('{"message":"a"}', 'it has no _index that can be taken; give lines of `sluice store export`');
    check('{"_index":"a","_source":{}}', 'it has no _id that can be taken; give lines of `sluice store export`');
    check(
      '{"_index":"a","_id":7,"_source":{}}',
      'it has no _id that can be taken; give lines of `sluice store export`',
    );
    check(
      `{"_index":"a","_id":"${'é'.repeat(32_769)}","_source":{}}`,
      'it has no _id that can be taken; give lines of `sluice store export`',
    );
    check('{"_index":"a","_id":"b"}', 'it has no _source that is a JSON object');
    check('{"_index":"a","_id":"b","_source":"{}"}', 'it has no _source that is a JSON object');
    check('{"_index":"a","_id":"b","_source":[1]}', 'it has no _source that is a JSON object');
  });
});

async function split(pieces: readonly Buffer[], bytesMax = 100): Promise<(string | null)[]> {
  const lines: (string | null)[] = [];
  async function* stream() {
    for (const piece of pieces) yield await Promise.resolve(piece);
  }
  for await (const { number, bytes } of linesOf(stream(), bytesMax)) {
    lines.push(bytes === null ? null : bytes.toString());
    assert.equal(number, lines.length);
  }
  return lines;
}

suite('lines of a stream', () => {
  const text = Buffer.from('one\r\n\nthré\nlast');
  test('are the same wherever it is cut', async () => {
    const whole = ['one', '', 'thré', 'last'];
    for (let at = 0; at <= text.length; at++)
      assert.deepEqual(await split([text.subarray(0, at), text.subarray(at)]), whole);
    assert.deepEqual(await split([...text].map((byte) => Buffer.from([byte]))), whole);
    assert.deepEqual(await split([]), []);
    assert.deepEqual(await split([Buffer.from('\n')]), ['']);
  });
  test('that are too long are left out, and cost nothing behind them', async () => {
    const long = Buffer.from(`${'x'.repeat(11)}\n${'y'.repeat(10)}\n${'z'.repeat(30)}`);
    for (let at = 0; at <= long.length; at++)
      assert.deepEqual(await split([long.subarray(0, at), long.subarray(at)], 10), [null, 'y'.repeat(10), null]);
  });
});
