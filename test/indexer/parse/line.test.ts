// Lines of known formats, field by field: what is added to the document of an empty record. Times are within the day of
// the entry's, which is 2026-01-02T03:04:05Z.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BulkBody } from '#indexer/bulk/body.ts';
import { DocumentWriter } from '#indexer/parse/document.ts';
import { levelSeverities, levelWords } from '#indexer/parse/line/level.ts';
import { batch, documentOf, entryOf, outcomeOf, textOf } from './documents.ts';

const sequence = 1_767_323_045_678_000;
const ingested = '2026-01-02T03:04:06.120Z';
const created = '2026-01-02T03:04:05.000Z';
const plain = { '@timestamp': created, fluentd: { tag: 'app.web' } };

interface Expected {
  readonly time?: string;
  readonly level?: (typeof levelWords)[number];
  /** Whether `event.original` has the line. */
  readonly original?: boolean;
  readonly log?: object;
  readonly [field: string]: unknown;
}

/** `record`: beside the line. */
function check(line: string, { time, level, original = true, log = {}, ...rest }: Expected, record: object = {}): void {
  const document = documentOf(entryOf({ log: line, ...record }));
  const severity = level === undefined ? {} : { severity: levelSeverities[levelWords.indexOf(level)] };
  const logs = { ...log, ...(level && { level }) };
  assert.deepEqual(
    document,
    {
      ...plain,
      ...(time !== undefined && { '@timestamp': time }),
      event: {
        ingested,
        sequence,
        ...severity,
        ...(time !== undefined && { created }),
        ...(original && { original: line }),
      },
      ...(Object.keys(logs).length > 0 && { log: logs }),
      ...rest,
    },
    line,
  );
}

/** The line is a message, byte for byte, and nothing else. */
function isMessage(line: string): void {
  check(line, { message: line, original: false });
}

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
    WARNING: 'warn', err: 'error', FATAL: 'critical', panic: 'critical', E: 'error', Information: 'info', verbose: 'debug',
    'INFO+2': 'info', SEVERE: 'error', FINEST: 'trace', '3': 'error', emerg: 'emergency',
  } as const; // prettier-ignore
  for (const [written, expected] of Object.entries(rewritten)) level(written, expected);
  for (const [number, expected] of [[10, 'trace'], [20, 'debug'], [30, 'info'], [35, 'info'], [40, 'warn'], [50, 'error'], [60, 'critical'], [0, 'emergency'], [7, 'debug'], [3, 'error']] as const) level(number, expected); // prettier-ignore
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

test('logfmt', () => {
  check('time="2026-01-02T03:04:05.678Z" level=info msg="API listen \\"x\\"" a=1.50 b=12 c= d=-3 e=true', {
    time: '2026-01-02T03:04:05.678Z', message: 'API listen "x"', level: 'info',
    attributes: { a: '1.50', b: 12, c: '', d: -3, e: 'true' },
  }); // prettier-ignore
  check('level=error ts=2026-01-02T03:04:05Z caller=main.go:12 err="x"', {
    time: created, message: 'level=error ts=2026-01-02T03:04:05Z caller=main.go:12 err="x"', level: 'error', original: false,
    log: { origin: { file: { name: 'main.go', line: 12 } } }, error: { message: 'x' },
  }); // prettier-ignore
  isMessage('a=b c=d');
  isMessage('level=info and text');
  isMessage('level=info');
  isMessage('level=info msg="open');
  isMessage('level=info msg="a"b=c');
  isMessage('level=info msg=a"b');
});

test('klog', () => {
  check('E1121 10:00:00.123456       1 reflector.go:138] Failed to watch', {
    message: 'Failed to watch', level: 'error', attributes: { level: 'E' }, process: { thread: { id: 1 } },
    log: { origin: { file: { name: 'reflector.go', line: 138 } } },
  }); // prettier-ignore
  isMessage('E1121 10:00:00.123456       1 reflector.go] Failed');
  isMessage('E1121 10:00:00.123456 x reflector.go:1] Failed');
  isMessage('E112 10:00:00.123456 1 reflector.go:1] Failed');
});

test('heads of text: a time, a level, who says it', () => {
  const text = 'some text: a=1';
  const head = (before: string, expected: Expected): void => check(`${before}${text}`, { message: text, ...expected });
  const main = { process: { thread: { name: 'main' } } };
  head('2026-01-02 03:04:05,678 INFO  [main] com.shop.Cart - ', {
    level: 'info',
    log: { logger: 'com.shop.Cart' },
    ...main,
  });
  head('2026-01-02T03:04:05.678Z  INFO 1 --- [main] c.s.Cart      : ', {
    time: '2026-01-02T03:04:05.678Z', level: 'info', log: { logger: 'c.s.Cart' }, process: { pid: 1, thread: { name: 'main' } },
  }); // prettier-ignore
  head('03:04:05.678 [main] INFO com.Foo -- ', { level: 'info', log: { logger: 'com.Foo' }, ...main });
  head('2026-01-02 03:04:05,678 - shop - WARNING - ', {
    level: 'warn',
    log: { logger: 'shop' },
    attributes: { level: 'WARNING' },
  });
  head('ERROR:shop:', { level: 'error', log: { logger: 'shop' } });
  head('[2026-01-02 03:04:05 +0000] [7] [INFO] ', { time: created, level: 'info', process: { pid: 7 } });
  head('[2026-01-02 03:04:05,678] INFO [x y] ', { level: 'info', message: `[x y] ${text}` });
  head('[2026-01-02T03:04:05,678][INFO ][o.e.n.Node    ] [node-1] ', {
    level: 'info', log: { logger: 'o.e.n.Node' }, message: `[node-1] ${text}`,
  }); // prettier-ignore
  head('2026-01-02T03:04:05.678901Z  INFO shop::cart: ', {
    time: '2026-01-02T03:04:05.678901Z',
    level: 'info',
    log: { logger: 'shop::cart' },
  });
  head('[2026-01-02T03:04:05Z INFO  shop] ', { time: created, level: 'info', log: { logger: 'shop' } });
  head('2026-01-02 03:04:05.678 UTC [7] FATAL:  ', {
    time: '2026-01-02T03:04:05.678Z', level: 'critical', process: { pid: 7 }, attributes: { level: 'FATAL' },
  }); // prettier-ignore
  head('2026/01/02 03:04:05 [error] 7#8: ', { level: 'error', process: { pid: 7, thread: { id: 8 } } });
  head('[Fri Jan 02 03:04:05.678901 2026] [core:error] [pid 7:tid 8] ', {
    level: 'error', log: { logger: 'core' }, process: { pid: 7, thread: { id: 8 } },
  }); // prettier-ignore
  head('info: Shop.Cart[14] ', { level: 'info', log: { logger: 'Shop.Cart' } });
  head('[03:04:05 WRN] ', { level: 'warn', attributes: { level: 'WRN' } });
  head('2026-01-02T04:04:05+01:00 ', { time: created });
  head('2026-01-02T03:04:05Z ', { time: created });
  head('INFO:     ', { level: 'info' });
  head('2026-01-02T03:04:05Z INFO 5 ', { time: created, level: 'info', message: `5 ${text}` });
});

test('JSON behind a head', () => {
  check('2026-01-02T03:04:05Z ERROR {"a":1,"msg":"inner"}', {
    time: created, level: 'error', message: 'inner', attributes: { a: 1 },
  }); // prettier-ignore
  check('2026-01-02T03:04:05Z ERROR {"a":1}', {
    time: created,
    level: 'error',
    message: '{"a":1}',
    attributes: { a: 1 },
  });
});

test('colours are passed over, and stay in the message', () => {
  check('\u001b[32mINFO\u001b[0m hello \u001b[31mred\u001b[0m', {
    level: 'info',
    message: 'hello \u001b[31mred\u001b[0m',
  });
  check('\u001b[2m2026-01-02T03:04:05Z\u001b[0m \u001b[32m INFO\u001b[0m \u001b[2mshop::cart\u001b[0m\u001b[2m:\u001b[0m x', {
    time: created, level: 'info', message: 'x', log: { logger: 'shop::cart' },
  }); // prettier-ignore
  isMessage('\u001b[');
  isMessage('\u001b[31mred');
});

test('texts that only look like it are messages', () => {
  for (const line of [
    '', '\n', ' ', 'hello world', 'INFO', 'Error: something', '\tat com.foo.Bar(Bar.java:1)', '  INFO indented',
    '2026-01-02T03:04:05Z', '2026/01/02 03:04:05 hello go', '2026-13-02T03:04:05Z x', '2026-01-02T03:04:05 x', 'info about it',
    'error opening file', 'I am', 'Information: x', '[main] x', '12345 x', '03:04:05 x', '- x', '] x', 'a:b:c', 'GET /x 200',
  ]) isMessage(line); // prettier-ignore
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
    return JSON.parse(Buffer.from(bytes.subarray(items[0]?.docStart, items[0]?.docEnd)).toString()) as Record<
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
    '2026-01-02T03:04:05Z', ' ', ' INFO', 'ERROR:', '[', ']', '{"a":', '"', '}', 'level=info', ' msg="x"', '\\', '\u001b[31m',
    'E1121 10:00:00.123456 1 a.go:1]', ' - ', ': ', '|', '{"msg":"a","time":1}', 'err', '\n', '\0', '€', 'com.shop.Cart', '1',
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
