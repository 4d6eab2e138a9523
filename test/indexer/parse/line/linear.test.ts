// What an entry costs: bytes that are read, values that are met, bytes that are written; whatever its sender makes of
// it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { BulkBody } from '#indexer/bulk/body.ts';
import { DocumentWriter } from '#indexer/parse/document/document.ts';
import { batch, entryOf, hex } from '../documents.ts';

const INTEGERS = 2000;
const integers = Buffer.concat([hex('dc07d0'), Buffer.alloc(INTEGERS)]);

/** An entry whose record has one value. */
function entry(value: Uint8Array): Buffer {
  return Buffer.concat([hex('92 01 81 a176'), value]);
}

/** How often a byte of the entry is read, on average, while it is written. */
function readsPerByte(bytes: Uint8Array): number {
  let reads = 0;
  const counted = new Proxy(bytes, {
    get(target, name) {
      if (typeof name === 'string' && /^\d/.test(name)) reads += 1;
      return Reflect.get(target, name, target) as unknown;
    },
  });
  const writer = new DocumentWriter(new BulkBody());
  writer.startBatch(batch, batch.receivedMs);
  assert.equal(writer.write(counted, 0, bytes.length, 0), 'ok');
  return reads / bytes.length;
}

test('what is nested is read as often as what is not', () => {
  const flat = readsPerByte(entry(integers));
  const nested = (opening: string, closing = '', levels = 90): number =>
    readsPerByte(entry(Buffer.concat([hex(opening.repeat(levels)), integers, hex(closing.repeat(levels))])));
  assert(nested('81 a161') < 2 * flat);
  assert(nested('91') < 2 * flat);
  // A key that comes again: what was written before it is written anew, once, whatever lies around it.
  assert(nested('82 a161', 'a162 01') < 2 * flat);
  assert(nested('82 a161', 'a161 01') < 3 * flat);
  assert(nested('83 a163', 'a161 01 a161 01') < 3 * flat);
  // As a key.
  assert(nested('81', '01', 45) < 6 * flat);
  // Below a key that is too long to be one.
  const long = Buffer.from(encode('k'.repeat(500))).toString('hex');
  assert(nested(`81 ${long}`, '', 20) < 3 * flat);
});

test('a line of text is looked at a constant number of times, whatever it seems to be', () => {
  const reads = (head: string, repeated: string, end = ''): number => {
    const text = head + repeated.repeat(Math.ceil(100_000 / repeated.length)) + end;
    return readsPerByte(entryOf({ log: text }));
  };
  const plain = reads('some text ', 'abcdefghij ');
  const time = '2026-01-02T03:04:05Z ';
  for (const [head, repeated, end] of [
    [time, '['], [time, 'a.'], [time, 'a:'], [time, 'a.B '], [time, '\t'], [`${time}\tINFO\t`, 'a\t', '{"a":1}'],
    [`${time}\tINFO\t`, '\t{', '}'], [`${time}INFO `, 'c.s.Cart:8:'], [`${time}INFO `, '(a.B) ', '(a.B)'],
    ['[2026-01-02 03:04:05,678] INFO x ', '(', 'a.B)'], ['2026/01/02 03:04:05 [error] 7#8: ', ', client: '],
    ['2026/01/02 03:04:05 [error] 7#8: ', ', client: 10.0.0.1, request: "'], ['Jan  2 03:04:05 ', 'web[7'],
    ['Jan  2 03:04:05 web-1 ', 'a/'], ['[Nest] 7  - ', '1 '], ['[Nest] 7  - 1 LOG ', '['], ['PHP ', 'Warning '],
    ['INFO: 10.0.0.1:80 - "', '\\"'], ['a:80 10.0.0.1 - - [02/Jan/2026:03:04:05 +0000] "', 'x '],
    ['[02/Jan/2026 03:04:05] "', '\\'], ['', '\u001b[0m'], ['7:signal-handler (', '1'], ['', '<1>'],
  ] as const) assert(reads(head, repeated, end) < plain + 12, `${head}${repeated}`); // prettier-ignore
});

test('the list of numbers is in proportion to the event', () => {
  const body = new BulkBody();
  const writer = new DocumentWriter(body, { listsNumbers: true });
  writer.startBatch(batch, batch.receivedMs);
  const numbers = Array.from({ length: 500 }, (_, n) => n);
  const written = (levels: number, keyLength: number): number => {
    let value: unknown = numbers;
    for (let level = 0; level < levels; level += 1) value = { ['k'.repeat(keyLength)]: value };
    const bytes = entryOf({ v: value });
    const before = body.length;
    assert.equal(writer.write(bytes, 0, bytes.length, 0), 'ok');
    return (body.length - before - 8192) / bytes.length;
  };
  assert(written(5, 390) < 12);
  assert(written(18, 130) < 12);
});

test('of equal keys the last one stays, at every depth', () => {
  const body = new BulkBody();
  const writer = new DocumentWriter(body);
  writer.startBatch(batch, batch.receivedMs);
  const inner = '83 a161 01 a162 82 a163 02 a163 03 a161 04';
  const bytes = entry(hex(`82 a178 ${inner} a178 ${inner}`));
  assert.equal(writer.write(bytes, 0, bytes.length, 0), 'ok');
  const { body: text, items } = body.request();
  const document = Buffer.from(text.subarray(items.at(0)?.docStart, items.at(0)?.docEnd)).toString();
  assert.match(document, /"v":\{"x":\{"b":\{"c":3\},"a":4\}\}/);
});

test('limits of a document: bytes, values, keys; its neighbours are as they were', () => {
  const bytesMax = 1024 * 1024;
  const body = new BulkBody();
  const writer = new DocumentWriter(body, { bytesMax });
  writer.startBatch(batch, batch.receivedMs);
  const check = (expected: string, bytes: Uint8Array): void => {
    const { length, count } = body;
    assert.equal(writer.write(bytes, 0, bytes.length, 0), expected);
    assert(body.json.bytes.length < 10 * bytesMax, 'what is too large is not written to its end');
    if (expected !== 'ok') assert.deepEqual([body.length, body.count], [length, count]);
    assert.equal(writer.writeAsText(entryOf({ a: 1 }), 0, entryOf({ a: 1 }).length, 1), 'ok');
  };
  const pairs = (count: number): Buffer => {
    const map = Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, 0]));
    return entryOf(map);
  };
  const array = (count: number): Buffer => {
    const header = hex('dd00000000');
    header.writeUInt32BE(count, 1);
    return entry(Buffer.concat([header, Buffer.alloc(count)]));
  };
  check('ok', entryOf({ log: 'x'.repeat(bytesMax - 1000) }));
  check('document_too_large', entryOf({ log: 'x'.repeat(bytesMax) }));
  check('document_too_large', entryOf({ log: '\u0001'.repeat(bytesMax / 2) }));
  check('document_too_large', entryOf({ log: Object.fromEntries([['\u0001'.repeat(bytesMax / 2), 1]]) }));
  check('document_too_large', entry(Buffer.concat([hex('c6000f0000'), Buffer.alloc(0xf0000)])));
  check('ok', array(250_000));
  check('document_too_large', array(262_144));
  check('ok', pairs(65_000));
  // A term of the whole path for each leaf: of 300 KB they would be 180 MB.
  const deep = (leaves: number, keyLength: number, depth: number): Buffer => {
    let map: object = Object.fromEntries(Array.from({ length: leaves }, (_, n) => [n.toString(36), 0]));
    for (let level = 0; level < depth; level++) map = { [`${level}`.padEnd(keyLength, 'k')]: map };
    return entryOf(map);
  };
  check('ok', deep(1000, 390, 17));
  check('document_too_large', deep(30_000, 390, 17));
  check('ok', deep(30_000, 10, 17));
  check('document_too_large', pairs(65_537));
  check(
    'document_too_large',
    Buffer.concat([hex('92 01 81 a176 df00010001'), Buffer.from('a16101'.repeat(65_537), 'hex')]),
  );
});

test('a line that is too much once it is read is a message', () => {
  const check = (line: string, bytesMax = 8 * 1024 * 1024): void => {
    const body = new BulkBody();
    const writer = new DocumentWriter(body, { bytesMax });
    writer.startBatch(batch, batch.receivedMs);
    const bytes = entryOf({ log: line });
    assert.equal(writer.write(bytes, 0, bytes.length, 0), 'ok');
    const next = entryOf({ log: '{"message":"next","n":1}' });
    assert.equal(writer.write(next, 0, next.length, 1), 'ok');
    const { body: text, items } = body.request();
    const [document, neighbour] = items.map(
      ({ docStart, docEnd }) =>
        JSON.parse(Buffer.from(text.subarray(docStart, docEnd)).toString()) as Record<string, unknown>,
    );
    assert.equal(document?.['message'], line);
    assert.deepEqual(document?.['log'], { flags: ['unread'] });
    assert.deepEqual([neighbour?.['message'], neighbour?.['attributes']], ['next', { n: 1 }]);
  };
  const keys = Array.from({ length: 70_000 }, (_, n) => `"${n}":0`).join();
  check(`{"message":"a",${keys}}`);
  check(`{"a":[${'1,'.repeat(270_000)}1]}`);
  // Read, it is the message, the original and the attributes.
  check(`{"a":"${'x'.repeat(600_000)}","b":1}`, 1024 * 1024);
});
