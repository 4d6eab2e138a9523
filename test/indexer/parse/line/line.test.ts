// What a line says: its fields, level and time; and that whatever it is, nothing of it is lost.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BulkBody } from '#indexer/bulk/body.ts';
import { DocumentWriter } from '#indexer/parse/document/document.ts';
import { levelSeverities, levelWords } from '#indexer/parse/line/level-words.ts';
import { batch, documentOf, entryOf, outcomeOf, textOf } from '../documents.ts';
import { type Expected, check, created, ingested, isMessage, plain, sequence } from './lines.ts';

test('JSON', () => {
  check('{"level":"info","msg":"hello","time":"2026-01-02T03:04:05.5Z","status":200}', {
    time: '2026-01-02T03:04:05.500Z', message: 'hello', level: 'info', attributes: { status: 200 },
  }); // prettier-ignore
  check('{"message":"a"}\r\n', { message: 'a' });
  check('{ "message" : "a" } \n', { message: 'a' });
  // Without a human part the line is the message, and nothing is lost.
  check('{"a":1,"b":{"c":[1,null,true]}}', {
    message: '{"a":1,"b":{"c":[1,null,true]}}', attributes: { a: 1, b: { c: [1, null, true] } }, original: false,
  }); // prettier-ignore
  assert.match(
    textOf(entryOf({ log: '{"message":"a","n":9007199254740993}' })),
    /"attributes":\{"n":9007199254740993\}/,
  );
  isMessage('{}');
  isMessage('{"a":1');
  isMessage('{"a":1} and more');
  isMessage('{a:1}');
  isMessage('{"a":1}{"b":2}');
  isMessage('[{"a":1}]');
  isMessage('{');
});

test('a structured line and its record: each has its own fields, and the record keeps its keys', () => {
  const line = '{"msg":"m","level":"error","service":"cart","host":"other","x":1,"y":1,"container_id":"c"}';
  check(
    line,
    {
      message: 'm', level: 'error', service: { name: 'cart' }, host: { name: 'h' }, container: { id: 'i' },
      attributes: { level: 'info', host: 'other', x: 2, y: 1, container_id: 'c' },
    }, // prettier-ignore
    { level: 'info', host: 'h', x: 2, container_id: 'i' },
  );
  // A line says nothing of tenants and pods.
  check('{"msg":"m","TENANT_ID":"a","kubernetes":{"pod_name":"p"},"stream":"stderr"}', {
    message: 'm', attributes: { TENANT_ID: 'a', kubernetes: { pod_name: 'p' }, stream: 'stderr' },
  }); // prettier-ignore
});

test('fields of the schema: dotted, nested, by their other names, and only of values that fit', () => {
  const fields = (of: object, rest: object): void =>
    check(JSON.stringify({ msg: 'm', ...of }), { message: 'm', ...rest });
  fields({ 'trace.id': 'a', span_id: 'b' }, { trace: { id: 'a' }, span: { id: 'b' } });
  fields({ http: { request: { method: 'GET' }, response: { status_code: 200 } } }, {
    http: { request: { method: 'GET' }, response: { status_code: 200 } },
  }); // prettier-ignore
  fields({ http: { response: { status_code: '404', x: 1 } } }, {
    http: { response: { status_code: 404 } }, attributes: { http: { response: { x: 1 } } },
  }); // prettier-ignore
  fields({ http: { response: { status_code: 'ok' } } }, { attributes: { http: { response: { status_code: 'ok' } } } });
  fields({ http: 'x', 'http.version': 2 }, { attributes: { http: 'x', 'http.version': 2 } });
  fields({ err: { type: 'E', message: 'boom', stack: 'at x' } }, {
    error: { type: 'E', message: 'boom', stack_trace: 'at x' },
  }); // prettier-ignore
  fields({ error: 'boom' }, { error: { message: 'boom' } });
  fields(
    { error: { message: 'a', code: 5 }, err: 'b' },
    { error: { message: 'a' }, attributes: { error: { code: 5 }, err: 'b' } },
  );
  fields({ 'trace.id': 'a', trace: { id: 'b' } }, { trace: { id: 'b' }, attributes: { 'trace.id': 'a' } });
  fields({ 'client.ip': '10.0.0.1', 'source.ip': '::1' }, { client: { ip: '10.0.0.1' }, source: { ip: '::1' } });
  fields(
    { 'client.ip': '10.0.0.256', 'source.ip': 'web' },
    { attributes: { 'client.ip': '10.0.0.256', 'source.ip': 'web' } },
  );
  fields(
    { pid: 1.5, 'event.duration': -1 },
    {
      attributes: { pid: 1.5 },
      event: { ingested, sequence, duration: -1, original: '{"msg":"m","pid":1.5,"event.duration":-1}' },
    },
  );
  fields(
    { caller: 'a/main.go:12', logger: 'x' },
    { log: { logger: 'x', origin: { file: { name: 'a/main.go', line: 12 } } } },
  );
  fields({ levelname: 'INFO', name: 'shop.cart' }, { level: 'info', log: { logger: 'shop.cart' } });
  fields(
    { pid: 7, hostname: 'h', name: 'shop' },
    { process: { pid: 7 }, host: { name: 'h' }, log: { logger: 'shop' } },
  );
  fields(
    { levelname: 'INFO', name: 'shop.cart', logger: 'x' },
    { level: 'info', log: { logger: 'x' }, attributes: { name: 'shop.cart' } },
  );
  fields({ pid: 7, name: 'shop' }, { process: { pid: 7 }, attributes: { name: 'shop' } });
  fields({ caller: 'main' }, { attributes: { caller: 'main' } });
  // Of a record that is structured itself.
  assert.deepEqual(documentOf(entryOf({ msg: 'm', 'trace.id': 'a', err: { message: 'x' } })), {
    ...plain, message: 'm', trace: { id: 'a' }, error: { message: 'x' }, event: { ingested, sequence },
  }); // prettier-ignore
});

test('equal keys: the last one counts, in groups too', () => {
  check('{"msg":"a","msg":"b"}', { message: 'b' });
  check('{"msg":"m","err":{"type":"a","type":"b"}}', { message: 'm', error: { type: 'b' } });
  check('{"msg":"m","err":{"type":"a"},"err":{"message":"b"}}', { message: 'm', error: { message: 'b' } });
  check('{"msg":"m","http":{"request":{"method":"a"},"request":{"method":"b"}}}', {
    message: 'm',
    http: { request: { method: 'b' } },
  });
  check('{"msg":"m","x":1,"x":2}', { message: 'm', attributes: { x: 2 } });
});

test('levels', () => {
  const level = (written: unknown, expected: Expected['level'], kept = true): void =>
    check(JSON.stringify({ msg: 'm', level: written }), {
      message: 'm', ...(expected && { level: expected }), ...(kept && { attributes: { level: written } }),
    }); // prettier-ignore
  for (const word of levelWords.slice(1)) {
    level(word, word, false);
    level(word.toUpperCase(), word, false);
  }
  const rewritten = {
    WARNING: 'warn', err: 'error', FATAL: 'critical', panic: 'critical', E: 'error', Information: 'info',
    verbose: 'debug',     'INFO+2': 'info', SEVERE: 'error', FINEST: 'trace', '3': 'error', emerg: 'emergency',
  } as const; // prettier-ignore
  for (const [written, expected] of Object.entries(rewritten)) level(written, expected);
  const numbers = [
    [10, 'trace'], [20, 'debug'], [30, 'info'], [35, 'info'], [40, 'warn'], [50, 'error'], [60, 'critical'],
    [0, 'emergency'], [7, 'debug'], [3, 'error'],
  ] as const; // prettier-ignore
  for (const [number, expected] of numbers) level(number, expected);
  for (const none of ['', 'weird', 'informations', 8, 9, 70, -1, 1.5, null, {}, 'ı', '30x', '300'])
    level(none, undefined);
  const of = (record: object): unknown => (documentOf(entryOf(record))['log'] as Record<string, unknown>)['level'];
  assert.equal(of({ severity_number: 21 }), 'critical');
  assert.equal(of({ severity_number: 1 }), 'trace');
  assert.equal(of({ PRIORITY: '6' }), 'info');
  assert.equal(of({ lvl: 'dbug' }), 'debug');
});

test('levels compare as their severity does', () => {
  const severities = levelSeverities.slice(1);
  assert.deepEqual(
    [...severities].sort((a, b) => a - b),
    severities,
  );
});

test('JSON of log4j, hclog and loguru', () => {
  check('{"@level":"warn","@message":"m","@module":"a.b","@timestamp":"2026-01-02T03:04:05.5Z"}', {
    time: '2026-01-02T03:04:05.500Z', level: 'warn', message: 'm', log: { logger: 'a.b' },
  }); // prettier-ignore
  const instant = (epochSecond: unknown, nanoOfSecond?: unknown): string =>
    JSON.stringify({ instant: { epochSecond, nanoOfSecond }, level: 'INFO', message: 'm' });
  check(instant(1_767_323_045, 678_901_234), { time: '2026-01-02T03:04:05.678901234Z', level: 'info', message: 'm' });
  for (const [nanos, fraction] of [
    [5, '000000005'],
    [200, '000000200'],
    [60_001, '000060001'],
    [undefined, '000'],
  ])
    check(instant(1_767_323_045, nanos), { time: `2026-01-02T03:04:05.${fraction}Z`, level: 'info', message: 'm' });
  // What is no time stays, and so does what is too far from the driver's.
  for (const [seconds, nanos] of [['x', 0], [-1, 0], [1_767_323_045, 1_000_000_000], [1, 5]])
    check(instant(seconds, nanos), {
      level: 'info', message: 'm', attributes: { instant: { epochSecond: seconds, nanoOfSecond: nanos } },
    }); // prettier-ignore
  const record = {
    message: 'm',
    level: { name: 'INFO' },
    line: 7,
    name: 'shop',
    function: 'f',
    time: { timestamp: 1_767_323_045.5 },
  };
  check(JSON.stringify({ record }), {
    time: '2026-01-02T03:04:05.500Z', level: 'info', message: 'm',
    log: { logger: 'shop', origin: { file: { line: 7 }, function: 'f' } },
  }); // prettier-ignore
});

test("a line's own time: within a day of what a driver told, without bound where nobody did", () => {
  const at = (line: string, entryTime: unknown): Record<string, unknown> =>
    documentOf(entryOf({ log: line }, entryTime));
  const timeOf = (line: string, entryTime: unknown = 1_767_323_045): unknown => at(line, entryTime)['@timestamp'];
  assert.equal(timeOf('{"msg":"m","time":"2026-01-03T03:04:05Z"}'), '2026-01-03T03:04:05.000Z');
  assert.equal(timeOf('{"msg":"m","time":"2026-01-03T03:04:06Z"}'), created);
  assert.equal(timeOf('2026-01-01T03:04:05Z INFO x'), '2026-01-01T03:04:05.000Z');
  assert.equal(timeOf('2026-01-01T03:04:04Z INFO x'), created);
  const far = at('{"msg":"m","time":"1999-01-03T03:04:05Z"}', 1_767_323_045);
  assert.deepEqual(far['attributes'], { time: '1999-01-03T03:04:05Z' });
  const received = '2026-01-02T03:04:05.678Z';
  const old = at('{"msg":"m","time":"1999-01-03T03:04:05Z"}', 0);
  assert.equal(old['@timestamp'], '1999-01-03T03:04:05.000Z');
  assert.equal((old['event'] as Record<string, unknown>)['created'], received);
  assert.equal(old['log'], undefined);
  assert.deepEqual(at('{"msg":"m","time":"1970-01-01T03:04:05Z"}', 0)['log'], { flags: ['unlikely_time'] });
  assert.deepEqual(at('{"msg":"m","time":"2100-01-01T00:00:00Z"}', 0)['log'], { flags: ['unlikely_time'] });
  assert.equal(timeOf('{"msg":"m","time":1767323046.5}'), '2026-01-02T03:04:06.500Z');
  assert.equal(timeOf('{"msg":"m","ts":1767323046500}'), '2026-01-02T03:04:06.500Z');
  assert.equal(timeOf('{"msg":"m","time":"2026-01-02T03:04:07"}'), created);
});

test('values that the mapping does not index are marked', () => {
  const flags = (record: object): unknown =>
    (documentOf(entryOf(record))['log'] as Record<string, unknown> | undefined)?.['flags'];
  assert.equal(flags({ log: 'x'.repeat(40_000) }), undefined);
  assert.equal(flags({ a: 'x'.repeat(8191) }), undefined);
  assert.deepEqual(flags({ a: 'x'.repeat(8192) }), ['long_value']);
  assert.equal(flags({ a: '€'.repeat(8191) }), undefined);
  assert.deepEqual(flags({ a: [{ b: '😀'.repeat(4096) }] }), ['long_value']);
  assert.deepEqual(flags({ stream: 'x'.repeat(1025) }), ['long_value']);
  assert.equal(flags({ 'error.stack_trace': 'x'.repeat(40_000) }), undefined);
  assert.deepEqual(flags({ log: JSON.stringify({ a: 'x'.repeat(8192) }) }), ['long_value']);
});

test('lines as they are, without reading them or without the original', () => {
  const entry = entryOf({ log: '2026-01-02T03:04:05.678Z INFO text' });
  const of = (options: object): Record<string, unknown> => {
    const body = new BulkBody();
    const writer = new DocumentWriter(body, options);
    writer.startBatch(batch, batch.receivedMs);
    assert.equal(writer.write(entry, 0, entry.length, 0), 'ok');
    const { body: bytes, items } = body.request();
    return JSON.parse(Buffer.from(bytes.subarray(items.at(0)?.docStart, items.at(0)?.docEnd)).toString()) as Record<
      string,
      unknown
    >;
  };
  const off = of({ parse: false });
  assert.deepEqual(
    [off['message'], off['log'], off['@timestamp']],
    ['2026-01-02T03:04:05.678Z INFO text', undefined, created],
  );
  const without = of({ keepsOriginal: false });
  assert.equal(without['message'], 'text');
  assert.equal((without['event'] as Record<string, unknown>)['original'], undefined);
});

test('whatever the line: no error, and its bytes are in the document', () => {
  const pieces = fc.constantFrom(
    '2026-01-02T03:04:05Z', ' ', ' INFO', 'ERROR:', '[', ']', '{"a":', '"', '}', 'level=info', ' msg="x"', '\\',
    '\u001b[31m', 'E1121 10:00:00.123456 1 a.go:1]', ' - ', ': ', '|', '{"msg":"a","time":1}', 'err', '\n', '\0', '€',
    'com.shop.Cart', '1',
  ); // prettier-ignore
  const lines = fc.oneof(
    fc.array(pieces, { maxLength: 12 }).map((some) => some.join('')),
    fc.string({ unit: 'binary' }),
  );
  fc.assert(
    fc.property(lines, (line) => {
      const document = documentOf(entryOf({ log: line, x: 1 }));
      const original = (document['event'] as Record<string, unknown>)['original'];
      assert.equal(original ?? document['message'], line.toWellFormed());
    }),
    { numRuns: 3000 },
  );
});

test('random bytes never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      assert.equal(outcomeOf(entryOf({ log: bytes })), 'ok');
      JSON.parse(textOf(entryOf({ log: bytes })));
    }),
    { numRuns: 2000 },
  );
});
