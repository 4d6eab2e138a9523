// Lines as container runtimes and `journalctl -o json` write them, sent raw, become the documents of the text in them.
// What only looks like one stays a message, byte for byte.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FOREIGN_TEXT_INPUT } from '#shared/record/foreign-identity.ts';
import { TRUSTED, batch, documentOf, entryOf } from '../documents.ts';
import { created, ingested, isMessage, plain, sequence } from '../line/lines.ts';

const AT = '2026-11-20T10:00:00.123456789Z';
const event = { ingested, sequence };
const written = { ...plain, '@timestamp': AT, event };

/** What the line is as the record's text; `record`: beside it. */
function check(line: string, expected: object, record: object = {}, key = 'message'): void {
  assert.deepEqual(documentOf(entryOf({ [key]: line, ...record })), { ...written, ...expected }, line);
}

const cri = (text: string, tag = 'F', stream = 'stdout'): string => `${AT} ${stream} ${tag} ${text}`;
const docker = (log: string, more = ''): string =>
  `{"log":${JSON.stringify(log)},"stream":"stderr"${more},"time":"${AT}"}`;

test('the text, the stream and the time of CRI lines', () => {
  check(cri('hello'), { message: 'hello', stream: 'stdout' });
  check(cri('hello', 'F', 'stderr'), { message: 'hello', stream: 'stderr' });
  check(cri('hello', 'F:a:b'), { message: 'hello', stream: 'stdout' });
  check(`${cri('hello')}\n`, { message: 'hello', stream: 'stdout' });
  check(cri('hello\r'), { message: 'hello\r', stream: 'stdout' });
  check(cri(''), { message: '', stream: 'stdout' });
  check(cri('').trimEnd(), { message: '', stream: 'stdout' });
  check(cri('  two spaces '), { message: '  two spaces ', stream: 'stdout' });
  check('2026-11-20T11:00:00.123456789+01:00 stdout F x', { message: 'x', stream: 'stdout' });
  check('2026-11-20T10:00:00Z stdout F x', {
    '@timestamp': '2026-11-20T10:00:00.000Z',
    message: 'x',
    stream: 'stdout',
  });
  for (const key of ['log', 'msg']) check(cri('hello'), { message: 'hello', stream: 'stdout' }, {}, key);
});

test('the text, the stream, the time and the labels of json-file lines', () => {
  check(docker('hello\n'), { message: 'hello', stream: 'stderr' });
  check(`${docker('hello\n')}\r\n`, { message: 'hello', stream: 'stderr' });
  check(docker('no end'), { message: 'no end', stream: 'stderr' });
  check(docker('\n'), { message: '', stream: 'stderr' });
  check(docker('a "quote" \\ \u0001 é 😀\r\n'), { message: 'a "quote" \\ \u0001 é 😀\r', stream: 'stderr' });
  check('{"log":"\\u003ca\\u003e \\ufffd\\n","stream":"stdout","time":"2026-11-20T10:00:00Z"}', {
    '@timestamp': '2026-11-20T10:00:00.000Z',
    message: '<a> \ufffd',
    stream: 'stdout',
  });
  check(docker('x\n', ',"attrs":{"com.docker.compose.service":"shop","tag":"web"}'), {
    message: 'x',
    stream: 'stderr',
    service: { name: 'shop' },
    attributes: { attrs: { 'com.docker.compose.service': 'shop', tag: 'web' } },
  });
});

test('the text inside is read as any line, and the time of the runtime is as a driver tells it', () => {
  check(cri('level=warn msg="disk full" disk=sda'), {
    message: 'disk full',
    stream: 'stdout',
    log: { level: 'warn' },
    attributes: { disk: 'sda' },
    event: { ...event, severity: 13, original: 'level=warn msg="disk full" disk=sda' },
  });
  check(docker('{"level":"info","msg":"up","time":"2026-11-20T10:00:01Z"}\n'), {
    '@timestamp': '2026-11-20T10:00:01.000Z',
    message: 'up',
    stream: 'stderr',
    log: { level: 'info' },
    event: {
      ...event,
      severity: 9,
      created: AT,
      original: '{"level":"info","msg":"up","time":"2026-11-20T10:00:01Z"}',
    },
  });
});

test('what the sender says beside it stays', () => {
  check(
    cri('x'),
    { message: 'x', stream: 'stdout', log: { file: { path: '/var/log/pods/a/0.log' } } },
    {
      'log.file.path': '/var/log/pods/a/0.log',
    },
  );
  check(
    cri('x'),
    { message: 'x', stream: 'stdout', log: { file: { path: '/a' } }, attributes: { log: { offset: 7 }, n: 1 } },
    { log: { file: { path: '/a' }, offset: 7 }, n: 1 },
  );
  const entry = entryOf({ message: cri('x') }, [1_767_323_045, { meta: 1 }]);
  assert.deepEqual(documentOf(entry), {
    ...written,
    message: 'x',
    stream: 'stdout',
    attributes: { 'fluentd.metadata': { meta: 1 } },
  });
});

test('a json-file line that its sender parsed', () => {
  const line = { log: 'hello\n', stream: 'stdout', time: AT };
  const { message: _, ...rest } = { message: 0, ...written };
  const of = (record: object): object => documentOf(entryOf(record));
  assert.deepEqual(of(line), { ...rest, message: 'hello', stream: 'stdout' });
  assert.deepEqual(of({ time: AT, log: 'hello', stream: 'stderr' }), { ...rest, message: 'hello', stream: 'stderr' });
  const other = { ...plain, event, message: 'hello\n', stream: 'stdout' };
  assert.deepEqual(of({ ...line, a: 1 }), { ...other, attributes: { time: AT, a: 1 } });
  assert.deepEqual(of({ ...line, time: 'noon' }), { ...other, attributes: { time: 'noon' } });
  assert.deepEqual(of({ ...line, stream: 'audit' }), { ...other, stream: 'audit', attributes: { time: AT } });
});

test('what only looks like one stays a message', () => {
  for (const line of [
    `${AT} stdout F`.slice(0, -2),
    `${AT} stdout X text`,
    `${AT} stdout FF text`,
    `${AT} stdlog F text`,
    `${AT}  stdout F text`,
    '2026-11-20T10:00:00.123456789 stdout F no zone',
    '2026-13-20T10:00:00.123456789Z stdout F no month',
    '2160-01-01T00:00:00Z stdout F a time that no entry holds',
    '1969-12-31T23:59:59Z stdout F before all',
  ]) {
    const document = documentOf(entryOf({ log: line }));
    const { original } = document['event'] as { original?: unknown };
    assert.equal(original ?? document['message'], line);
    assert.equal(document['stream'], undefined, line);
  }
  const application = [
    `{"log":"x\\n","stream":"stdout","time":"noon"}`,
    `{"log":"x\\n","stream":"audit","time":"${AT}"}`,
    `{"log":"x\\n","time":"${AT}"}`,
    `{"log":"x\\n","time":"${AT}","stream":"stdout"}`,
    `{"log":"x\\n","stream":"stdout","time":"${AT}","level":"info"}`,
    `{"log": "x\\n", "stream": "stdout", "time": "${AT}"}`,
    `{"log":{"a":1},"stream":"stdout","time":"${AT}"}`,
    `{"log":"\\ud83d","stream":"stdout","time":"${AT}"}`,
    `{"log":"x","stream":"stdout","attrs":[1],"time":"${AT}"}`,
  ];
  for (const line of application) {
    const document = documentOf(entryOf({ message: line }));
    assert.equal((document['event'] as { original?: unknown }).original ?? document['message'], line);
    assert.equal(document['stream'], undefined, line);
  }
  isMessage(`{"log":"x\\n","stream":"stdout","time":"${AT}"`);
  isMessage(`{"log":"x\\n","stream":"stdout","time":"${AT}"} more`);
});

test('what a program printed in this shape is its text: a driver told the stream, and it is done once', () => {
  for (const driver of [{ source: 'stdout' }, { stream: 'stdout' }, { CONTAINER_ID: 'c0ffee' }]) {
    const { message, ...document } = documentOf(entryOf({ log: docker('x\n'), ...driver }));
    assert.equal((document['event'] as { original?: unknown }).original, docker('x\n'), JSON.stringify(driver));
    assert.equal(message, 'x\n');
  }
  const { message, stream, event: told } = documentOf(entryOf({ log: cri(cri('x')) }));
  assert.deepEqual([message, stream, told], ['stdout F x', 'stdout', { ...event, created: AT, original: cri('x') }]);
  for (const input of [FOREIGN_TEXT_INPUT, 'syslog', 'gelf'])
    assert.equal(documentOf(entryOf({ log: cri('x') }), { batch: { ...batch, input } })['stream'], undefined, input);
});

test('cut at every byte, a line is in its document', () => {
  for (const line of [cri('text of a line'), docker('text\n', ',"attrs":{"a":"b"}'), journal({ MESSAGE: 'text' })]) {
    for (let end = 0; end < line.length; end += 1) holds(line.slice(0, end));
    for (let start = 1; start < line.length; start += 1) holds(line.slice(start));
  }
});

test('changed at random, a line is in its document or its text is', () => {
  const line = fc.constantFrom(cri('text'), docker('text\n'), journal({ MESSAGE: 'text' }));
  const change = fc.tuple(fc.nat(), fc.constantFrom('', '"', '\\', '{', '}', ' ', ',', ':', '\0', 'Z', 'é', '\\ud8'));
  fc.assert(
    fc.property(line, fc.array(change, { minLength: 1, maxLength: 3 }), (whole, changes) => {
      let changed = whole;
      for (const [place, by] of changes) {
        const at = place % (changed.length + 1);
        changed = changed.slice(0, at) + by + changed.slice(at + 1);
      }
      holds(changed);
    }),
    { numRuns: 2000 },
  );
});

test('any text comes out of any wrapper as it went in', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 40 }).map((some) => some.replaceAll('\n', ''));
  fc.assert(
    fc.property(text, (some) => {
      const of = (line: string): unknown => {
        const document = documentOf(entryOf({ message: line, '@a': '' }));
        return (document['event'] as { original?: unknown }).original ?? document['message'];
      };
      for (const line of [cri(some), docker(`${some}\n`), journal({ MESSAGE: some })]) assert.equal(of(line), some);
    }),
    { numRuns: 1000 },
  );
});

const journal = (fields: object): string =>
  JSON.stringify({
    _TRANSPORT: 'journal',
    __CURSOR: 's=1;i=2',
    __REALTIME_TIMESTAMP: '1795168800123456',
    _HOSTNAME: 'node-1',
    ...fields,
  });

test('lines of `journalctl -o json`', () => {
  const told = {
    '@timestamp': '2026-11-20T10:00:00.123456Z',
    host: { name: 'node-1' },
  };
  const attributes = { _TRANSPORT: 'journal', __CURSOR: 's=1;i=2' };
  const fields = { PRIORITY: '4', SYSLOG_IDENTIFIER: 'sshd', _PID: '17', _SYSTEMD_UNIT: 'ssh.service' };
  check(journal({ MESSAGE: 'hello', ...fields }), {
    ...told,
    message: 'hello',
    log: { level: 'warn' },
    service: { name: 'sshd' },
    process: { pid: 17 },
    event: { ...event, severity: 13 },
    attributes: { ...attributes, PRIORITY: '4', _SYSTEMD_UNIT: 'ssh.service' },
  });
  check(journal({ MESSAGE: [27, 91, 49, 109, 195, 169] }), { ...told, message: '\u001b[1mé', attributes });
  check(journal({ MESSAGE: 'x', TWICE: ['a', 'b'], LONG: null }), {
    ...told,
    message: 'x',
    attributes: { ...attributes, TWICE: ['a', 'b'], LONG: null },
  });
  check(`{ "__CURSOR" : "c", "__REALTIME_TIMESTAMP" : "1795168800123456", "MESSAGE" : "old" }`, {
    '@timestamp': '2026-11-20T10:00:00.123456Z',
    message: 'old',
    attributes: { __CURSOR: 'c' },
  });
  // Anybody can write a line: it names no tenant, and has no fields that are not the journal's.
  for (const other of [{ TENANT_ID: 'b' }, { SERVICE_ID: 'b' }, { 'container.id': 'b' }, { level: 'info' }]) {
    const line = journal({ MESSAGE: 'x', ...other });
    const document = documentOf(entryOf({ message: line }), { batch: { ...batch, tenant: TRUSTED } });
    assert.equal((document['event'] as { original?: unknown }).original, line);
    assert.deepEqual(document['tenant'], { id: TRUSTED });
  }
  for (const [priority, stream] of [
    ['6', 'stdout'],
    ['3', 'stderr'],
  ]) {
    const container = { CONTAINER_ID: 'c0ffee', CONTAINER_ID_FULL: 'c0ffee00', PRIORITY: priority };
    assert.equal(documentOf(entryOf({ MESSAGE: 'x', ...container }))['stream'], stream);
    assert.equal(documentOf(entryOf({ message: journal({ MESSAGE: 'x', ...container }) }))['stream'], stream);
  }
  assert.equal(documentOf(entryOf({ MESSAGE: 'x', PRIORITY: '6' }))['stream'], undefined);
});

/** Whether the document has all bytes of the line, or is that of the text in it. */
function holds(line: string): void {
  const document = documentOf(entryOf({ log: line }));
  const { original } = document['event'] as { original?: unknown };
  const isWhole = (original ?? document['message']) === line;
  assert(isWhole || document['@timestamp'] !== created, line);
}

test('a line that is too much once it is read is a message, as it came', () => {
  const many = Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`k${i}`, i]));
  for (const line of [docker(`${JSON.stringify(many)}\n`), journal({ MESSAGE: 'x', ...upper(many) })]) {
    const { message, log, stream } = documentOf(entryOf({ message: line }));
    assert.deepEqual([message === line, log, stream], [true, { flags: ['unread'] }, undefined]);
  }
});

function upper(pairs: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(pairs).map(([key, value]) => [key.toUpperCase(), value]));
}

test('what a reader of the journal or of containers sent is what a program wrote, whatever it looks like', () => {
  const forged = '1990-01-01T00:00:00Z stdout F forged';
  const lines = [forged, docker('forged\n', ',"attrs":{"a":"b"}'), journal({ MESSAGE: 'forged', CONTAINER_NAME: 'p' })];
  const time = '2026-01-02T03:04:05Z';
  const check = (line: string, record: object, input = batch.input): void => {
    const document = documentOf(entryOf(record), { batch: { ...batch, input } });
    assert.deepEqual([document['container'], document['stream']], [undefined, undefined], JSON.stringify(record));
    const { original } = (document['event'] ?? {}) as { original?: unknown };
    assert.ok([document['message'], original].includes(line));
    assert.notEqual(String(document['@timestamp']).slice(0, 4), '1990');
  };
  for (const line of lines) {
    check(line, { MESSAGE: line, _HOSTNAME: 'real', __REALTIME_TIMESTAMP: '1795168800123456', _UID: '1000' });
    check(line, { MESSAGE: line });
    check(line, { message: line, _SOURCE_REALTIME_TIMESTAMP: '1795168800123456' });
    check(line, { message: line, 'log.iostream': 'stdout' });
    check(line, { message: line, log: { iostream: 'stdout' } });
    check(line, { '@timestamp': time, message: line }, 'http');
    check(line, { time, message: line }, 'http');
  }
  const shipped = { '@timestamp': time, message: forged, log: { file: { path: '/var/log/pods/a.log' } } };
  const document = documentOf(entryOf(shipped), { batch: { ...batch, input: 'http' } });
  assert.deepEqual([document['message'], document['stream']], ['forged', 'stdout']);
});
