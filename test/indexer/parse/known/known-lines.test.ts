// A line like one before it becomes, byte for byte, the document that it becomes where nothing is known: of a writer of
// small documents nothing ever is.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { BulkBody } from '#indexer/bulk/body.ts';
import type { DocumentOptions } from '#indexer/parse/document/document-parts.ts';
import { DocumentWriter } from '#indexer/parse/document/document.ts';
import { KnownLine } from '#indexer/parse/known/known-line.ts';
import { KnownLines } from '#indexer/parse/known/known-lines.ts';
import { NumberFields } from '#indexer/parse/number-fields.ts';
import type { Batch } from '#shared/record/record.ts';
import { batch, entryOf } from '../documents.ts';

const WITHOUT_KNOWLEDGE = 200 * 1024;
const folder = join(import.meta.dirname, '../../../fixtures/lines');
const jsonLines = readdirSync(folder)
  .filter((name) => name.endsWith('.txt'))
  .flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n'))
  .filter((line) => line.startsWith('{'));
/** When the lines were written, within a day. */
const WRITTEN = Date.UTC(2026, 10, 22, 20, 30) / 1000;

type Write = (line: string, record?: object, of?: Batch, time?: number) => string;

function writerOf(options: DocumentOptions = {}): Write {
  const body = new BulkBody();
  const numbers = { listsNumbers: true, numberFields: new NumberFields(50) };
  const writer = new DocumentWriter(body, { ...numbers, ...options });
  return (line, record = {}, of = batch, time = WRITTEN) => {
    const entry = entryOf({ log: line, ...record }, time);
    writer.startBatch(of, WRITTEN * 1000);
    const written = writer.write(entry, 0, entry.length, 0);
    const text = `${written} ${writer.level} ${body.json.bytes.toString('latin1', 0, body.length)}`;
    body.request();
    return text;
  };
}

const ZAP = '{"level":"info","ts":1795379400.25,"caller":"cart/a.go:7","msg":"put","item":7,"took":0.5,"user":"u1"}';
const NGINX =
  '{"time":"2026-11-22T20:30:00Z","client.ip":"10.0.0.1","http.status_code":"200","message":"GET / HTTP/1.1"}';
const NEST = '{"msg":"a","a":{"b":[1,"2",null]},"ok":true, "s" : "" }\n';

/** By value that is changed: whether the line is still known. */
const changes: readonly (readonly [line: string, from: string, to: string, isKnown: boolean])[] = [
  [ZAP, '"u1"', '"somebody else, \u00e9\u20ac"', true],
  [ZAP, '"item":7', '"item":-123456789012345', true],
  [ZAP, '"took":0.5', '"took":12', true],
  [ZAP, '"took":0.5', '"took":0.000001', true],
  [ZAP, '.25', '', true],
  [ZAP, 'a.go:7', 'b.go:0070', true],
  // Another level, another time, no file: other fields.
  [ZAP, '"info"', '"warn"', false],
  [ZAP, '1795379400.25', '1695379400.25', false],
  [ZAP, '1795379400.25', '7', false],
  [ZAP, 'a.go:7', 'a.go', false],
  // Not as they are written.
  [ZAP, '"u1"', '"u\\n1"', false],
  [ZAP, '"took":0.5', '"took":0.50', false],
  [ZAP, '"took":0.5', '"took":5e-1', false],
  [ZAP, '"took":0.5', '"took":0.0000001', false],
  [ZAP, '"item":7', '"item":-0', false],
  [ZAP, '"item":7', '"item":1234567890123456', false],
  [ZAP, '"item":7', '"item":07', false],
  [ZAP, '"item":7', '"item":"7"', false],
  [ZAP, '"item":7', '"item":[7]', false],
  [ZAP, '"u1"', `"${'u'.repeat(1025)}"`, false],
  [ZAP, '"user"', '"use"', false],
  [ZAP, '"u1"}', '"u1"} ', false],
  [ZAP, '"u1"}', '"u1","a":1}', false],
  [NGINX, '10.0.0.1', '10.255.0.12', true],
  [NGINX, '10.0.0.1', 'unknown', false],
  [NGINX, '"200"', '"-"', false],
  [NGINX, '"200"', '"0200"', false],
  [NGINX, '20:30:00Z', '20:31:07.123456789+01:00', true],
  [NGINX, '20:30:00Z', '20:30:00', false],
  [NEST, '"2",null', '"20.5",true', true],
  [NEST, 'true, ', 'null, ', true],
  [NEST, ', "s"', ',"s"', false],
  [NEST, '}\n', '}\r\n', false],
];

test('a line is known by its values, and becomes the document that it would become', (t) => {
  for (const [line, from, to, isKnown] of changes) {
    const changed = line.replace(from, to);
    assert.notEqual(changed, line);
    const write = writerOf();
    for (let i = 0; i < 3; i += 1) write(line);
    const known = knownIn(t, () => {
      assert.equal(write(changed), writerOf({ bytesMax: WITHOUT_KNOWLEDGE })(changed));
    });
    assert.equal(known, isKnown ? 1 : 0, changed);
  }
});

test('the same line of other records, tags, tenants and inputs becomes their document', () => {
  const others: readonly Partial<Batch>[] = [{}, { tag: 'b' }, { tenant: 'a' }, { input: 'http' }, { input: 'syslog' }];
  const records = [{}, { a: 1 }, { a: 2 }, { stream: 'stdout' }, { item: 'of the record' }, { level: 'error' }];
  const write = writerOf();
  const plain = writerOf({ bytesMax: WITHOUT_KNOWLEDGE });
  for (let round = 0; round < 3; round += 1)
    for (const other of others)
      for (const record of records)
        for (let i = 0; i < 3; i += 1) {
          const of = { ...batch, ...other };
          assert.equal(write(ZAP, record, of), plain(ZAP, record, of));
        }
});

test('lines of real programs with other values, whatever else is written', (t) => {
  const value = fc.oneof(
    fc.integer().map(String),
    fc.double().map(String),
    fc.string().map((text) => JSON.stringify(text)),
    fc.ipV4().map((text) => JSON.stringify(text)),
    fc.constantFrom(
      'true',
      'null',
      '"é\ud83d\ude00"',
      '"INFO"',
      '"50"',
      '[]',
      '1795379400',
      '"2026-11-22T20:30:00Z"',
      '"main.go:12"',
    ),
  );
  const writers = [{}, { keepsOriginal: false }, { listsNumbers: false }].map((options: DocumentOptions) => ({
    write: writerOf(options),
    plain: writerOf({ ...options, bytesMax: WITHOUT_KNOWLEDGE }),
  }));
  const changed = fc.array(fc.tuple(fc.nat(), value), { minLength: 8, maxLength: 24 });
  const known = knownIn(t, () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...writers),
        fc.constantFrom(...jsonLines),
        changed,
        ({ write, plain }, line, places) => {
          for (let i = 0; i < 3; i += 1) assert.equal(write(line), plain(line));
          for (const [place, by] of places) {
            const other = withValue(line, place, by);
            assert.equal(write(other), plain(other), other);
          }
        },
      ),
    );
  });
  assert(known > 0, `${known} were known`);
});

/** Without a level, with one, in another word, with fields, with an object; no format at all. */
const textLines = [
  'text', '2026-11-22T20:30:00Z INFO text', '2026-11-22T20:30:00Z FATAL text', '2026-11-22T20:30:00 INFO text', '',
  '[2026-11-22T20:30:00Z][INFO ][o.e.n.Node] text', '2026-11-22T20:30:00Z INFO {"host":"h","service":"s","a":1}',
  'level=info msg="text" host=h', '{"msg":"text"', '{"msg":"text"}', 'E1122 20:30:00.123456 1 file.go:12] text\n',
  '2020-11-22T20:30:00Z WARN text, \u00e9', '<34>1 2026-11-22T20:30:00Z host su 7 - - text', 'ERROR: text',
]; // prettier-ignore

test('lines of text of the same record, whatever they tell', () => {
  const records = [{}, { level: 'error' }, { level: 50, host: 'r' }, { stream: 'stderr' }, { a: 1 }, { user: 'u' }];
  const labels = { 'container.labels': { a: '1' } };
  for (const record of [...records, labels, { ...labels, service: 'x' }, { time: '2026-11-22T20:31:00Z' }]) {
    const write = writerOf();
    const plain = writerOf({ bytesMax: WITHOUT_KNOWLEDGE });
    for (let i = 0; i < 4 * textLines.length; i += 1)
      for (const line of [textLines[i % textLines.length], textLines[(i * 5) % textLines.length]])
        assert.equal(write(line ?? '', record), plain(line ?? '', record));
  }
});

test('a record with a key twice, which is written once', () => {
  const repeated = Buffer.concat([Buffer.of(0x82), ...['a', '1', 'a', '2'].map((text) => encode(text))]);
  const pairs = [encode('log'), encode('text'), encode('container.labels'), repeated];
  const entry = Buffer.concat([Buffer.of(0x92), encode(WRITTEN), Buffer.of(0x82), ...pairs]);
  const body = new BulkBody();
  const writer = new DocumentWriter(body);
  writer.startBatch(batch, WRITTEN * 1000);
  for (let i = 0; i < 4; i += 1) assert.equal(writer.write(entry, 0, entry.length, i), 'ok');
  for (const line of body.json.bytes.toString('utf8', 0, body.length).split('\n'))
    if (line.includes('labels')) assert.match(line, /"labels":\{"a":"2"\}/);
});

test('of a source whose lines are all different few are learned', (t) => {
  const learn = t.mock.method(KnownLines.prototype, 'learn');
  const write = writerOf();
  for (let i = 0; i < 4096; i += 1) write(`{"msg":"text","key_${i}":${i}}`);
  assert(learn.mock.callCount() <= 8 + 4096 / 256, `${learn.mock.callCount()} were learned`);
});

test('nor of many sources: tenants in turn, whose lines come twice', (t) => {
  const learn = t.mock.method(KnownLines.prototype, 'learn');
  const write = writerOf();
  for (let i = 0; i < 4096; i += 1)
    write(`{"msg":"text","key_${i >> 1}":1}`, {}, { ...batch, tenant: `t${(i >> 1) % 2}` });
  assert(learn.mock.callCount() <= 8 + 4096 / 256, `${learn.mock.callCount()} were learned`);
});

/** How many lines were written by what was known, while `run` ran. */
function knownIn(t: TestContext, run: () => void): number {
  const write = t.mock.method(KnownLine.prototype, 'writeFields');
  run();
  write.mock.restore();
  return write.mock.callCount();
}

/** The line with another value in one of its places. */
function withValue(line: string, place: number, by: string): string {
  const found = [...line.matchAll(/(?<=[:[,]\s*)("(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|true|false|null)(?=\s*[,}\]])/g)];
  const value = found[place % Math.max(1, found.length)];
  if (value === undefined) return line;
  return line.slice(0, value.index) + by + line.slice(value.index + value[0].length);
}
