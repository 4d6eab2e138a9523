import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { HecCode } from '#forwarder/dialects/splunk/answers.ts';
import { type HecEvents, hecEvents, rawEvents } from '#forwarder/dialects/splunk/events.ts';
import { countEntries } from '#shared/msgpack/extents.ts';
import { OPTIONS, decoded, now } from '../decode/http/http-entries.ts';

const NOTHING = { host: '', source: '', sourcetype: '', index: '' };

function entriesOf(events: HecEvents): unknown[] {
  assert(events.kind === 'events', JSON.stringify(events));
  return decoded({ kind: 'entries', bytes: events.entries, count: events.count });
}

const check = (body: string, expected: unknown[]) =>
  assert.deepEqual(entriesOf(hecEvents(Buffer.from(body), OPTIONS)), expected);

function refused(events: HecEvents, code: HecCode, event: number, why: RegExp): void {
  assert(events.kind === 'malformed', JSON.stringify(events));
  assert.deepEqual([events.code, events.event], [code, event]);
  assert.match(events.why, why);
}

test('events one after another, with space between them or without', () => {
  const expected = [
    [now, { log: 'a' }],
    [now, { log: 'b' }],
  ];
  check('{"event":"a"}{"event":"b"}', expected);
  check('\n{"event":"a"}\r\n\t {"event":"b"}\n', expected);
});

test('the event, what is beside it, and its fields', () => {
  check('{"event":"a","host":"h","source":"s","sourcetype":"t","index":"i","x":1,"y":null}', [
    [
      now,
      {
        log: 'a',
        'host.name': 'h',
        'splunk.source': 's',
        'splunk.sourcetype': 't',
        'splunk.index': 'i',
        'splunk.x': 1,
      },
    ],
  ]);
  check('{"event":{"message":"m","line":3,"a":{"b":[1]}}}', [[now, { message: 'm', line: 3, a: { b: [1] } }]]);
  check('{"event":5}', [[now, { log: 5 }]]);
  check('{"event":[1,"a"]}', [[now, { log: [1, 'a'] }]]);
  check('{"event":false}', [[now, { log: false }]]);
  check('{"event":{}}', [[now, {}]]);
  check('{"event":"a","fields":{"k8s.pod.name":"p","container.id":"c","service.name":"s","team":["x"]}}', [
    [now, { log: 'a', kubernetes: { pod_name: 'p' }, 'container.id': 'c', 'service.name': 's', team: ['x'] }],
  ]);
  check('{"event":"a","fields":null}', [[now, { log: 'a' }]]);
});

test("Docker's driver, inline and raw", () => {
  check('{"event":{"line":"hello","source":"stdout","tag":"0123","attrs":{"a":"b"}},"time":"1.5","host":"n"}', [
    ['1.500000000', { 'host.name': 'n', log: 'hello', source: 'stdout', tag: '0123', attrs: { a: 'b' } }],
  ]);
  check('{"event":"0123 hello","time":"1.5","host":"n"}', [['1.500000000', { 'host.name': 'n', log: '0123 hello' }]]);
});

test('the time, as a number or a text, to the nanosecond', () => {
  check('{"time":1426279439,"event":"a"}', [['1426279439.000000000', { log: 'a' }]]);
  check('{"time":1426279439.123456789,"event":"a"}', [['1426279439.123456789', { log: 'a' }]]);
  check('{"event":"a","time":"1426279439.123"}', [['1426279439.123000000', { log: 'a' }]]);
  // Milliseconds, other texts: not guessed at, and not lost.
  check('{"time":1426279439123,"event":"a"}', [[now, { log: 'a', 'splunk.time': 1426279439123 }]]);
  check('{"time":"noon","event":"a"}', [[now, { log: 'a', 'splunk.time': 'noon' }]]);
  check('{"time":"","event":"a"}', [[now, { log: 'a', 'splunk.time': '' }]]);
  check('{"time":null,"event":"a"}{"time":1,"event":"b"}{"event":"c"}', [
    [now, { log: 'a' }],
    ['1.000000000', { log: 'b' }],
    [now, { log: 'c' }],
  ]);
});

test('raw: a line is an event', () => {
  const raw = (body: string, metadata: Partial<typeof NOTHING>, expected: unknown[]) =>
    assert.deepEqual(entriesOf(rawEvents(Buffer.from(body), { ...NOTHING, ...metadata }, OPTIONS)), expected);
  raw('a\nb\r\n\n\r\nc', {}, [
    [now, { log: 'a' }],
    [now, { log: 'b' }],
    [now, { log: 'c' }],
  ]);
  raw('a', { host: 'h', sourcetype: 't' }, [[now, { 'host.name': 'h', 'splunk.sourcetype': 't', log: 'a' }]]);
  refused(rawEvents(Buffer.from('\r\n'), NOTHING, OPTIONS), 'no_data', 0, /no event/);
});

test('refusals name the event', () => {
  const check = (body: string, code: HecCode, event: number, why: RegExp) =>
    refused(hecEvents(Buffer.from(body), OPTIONS), code, event, why);
  check('', 'no_data', 0, /no event/);
  check(' \n', 'no_data', 0, /no event/);
  check('hello', 'invalid_data', 0, /has to be an object/);
  check('[{"event":"a"}]', 'invalid_data', 0, /has to be an object/);
  check('{"event":"a"}{"event":', 'invalid_data', 1, /ends/);
  check('{"event":"a"}{"time":1}', 'event_missing', 1, /missing/);
  check('{"event":null}', 'event_missing', 0, /missing/);
  check('{"event":"a"}{"event":"a"}{"event":""}', 'event_blank', 2, /blank/);
  check('{"event":"a","fields":[]}', 'fields_malformed', 0, /no object/);
  assert.equal(hecEvents(Buffer.from('{"event":"aaaaaaaa"}'), { ...OPTIONS, bytesMax: 16 }).kind, 'too_large');
});

test('bytes cut anywhere and bytes of any kind never throw, and what is taken is entries', () => {
  const sound = (events: HecEvents) => {
    if (events.kind === 'events') assert.equal(countEntries(events.entries, 0, events.entries.length), events.count);
  };
  const body = Buffer.from('{"time":1.5,"event":{"line":"\\u00e9"},"fields":{"a":[1]}}{"event":"b","host":"h"}');
  for (let end = 0; end < body.length; end += 1) sound(hecEvents(Buffer.from(body.subarray(0, end)), OPTIONS));
  fc.assert(
    fc.property(fc.json(), fc.json(), (event, fields) => {
      sound(hecEvents(Buffer.from(`{"event":${event},"fields":${fields}}`), OPTIONS));
      sound(hecEvents(Buffer.from(event), OPTIONS));
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      sound(hecEvents(Buffer.from(bytes), OPTIONS));
      sound(rawEvents(Buffer.from(bytes), NOTHING, OPTIONS));
    }),
  );
});
