// What names the chunks of a body that came with an Idempotency-Key, or whose items have ids: the bytes as they were
// sent.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32, gzipSync } from 'node:zlib';
import Fastify from 'fastify';
import { Converter } from '#forwarder/accept/convert/converter.ts';
import { BodyReader } from '#forwarder/accept/body/body-reader.ts';
import { HttpContext } from '#forwarder/accept/http/http-context.ts';
import { LoginLimit } from '#forwarder/admit/login-limit.ts';
import type { Chunk } from '#forwarder/intake/chunk.ts';
import { ANYONE } from '#forwarder/intake/principal.ts';
import { ByteBudget } from '#shared/byte-budget.ts';
import { type Clock, systemClock } from '#shared/clock.ts';
import { FakeIntake } from '../forward/fake-intake.ts';
import { Fixture, JSON_BODY } from './http-fixture.ts';

const NDJSON = { 'content-type': 'application/x-ndjson' };
const content = (bytes: string | Buffer) => ({ crc32: crc32(bytes), length: Buffer.byteLength(bytes) });
const keyed = (headers: Record<string, string> = JSON_BODY) => ({ ...headers, 'idempotency-key': 'k' });
const nameOf = ({ tag, chunkId, content: named }: Chunk) => [
  tag,
  chunkId && Buffer.from(chunkId).toString('latin1'),
  named,
];

async function check(
  path: string,
  [body, headers]: [string | Buffer, Record<string, string>],
  expected: unknown[],
): Promise<void> {
  await using fixture = await Fixture.start();
  const answer = await fixture.post(path, body, headers);
  assert(answer.status < 300, answer.body);
  assert.deepEqual(fixture.intake.chunks.map(nameOf), expected);
}

const otlp = '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"a"}}]}]}]}';
const loki = '{"streams":[{"stream":{"a":"b"},"values":[["1700000000000000000","x"]]}]}';

test('each dialect: the body, as it is behind its Content-Encoding', async () => {
  await check('/a', ['{"a": 1}', keyed()], [['a', 'k', content('{"a": 1}')]]);
  const zipped = gzipSync('{"a": 1}');
  await check('/a', [zipped, keyed({ ...JSON_BODY, 'content-encoding': 'gzip' })], [['a', 'k', content('{"a": 1}')]]);
  await check('/v1/logs', [otlp, keyed()], [['otlp', 'k', content(otlp)]]);
  await check('/services/collector', ['{"event":"a"}', keyed()], [['splunk', 'k', content('{"event":"a"}')]]);
  await check('/services/collector/raw', ['a\nb', keyed()], [['splunk', 'k', content('a\nb')]]);
  await check('/loki/api/v1/push', [loki, keyed()], [['loki', 'k', content(loki)]]);
  const bulk = '{"create":{}}\n{"a":1}\n';
  await check('/i/_bulk', [bulk, keyed(NDJSON)], [['i', 'k', content(bulk)]]);
});

test('what the URL says of the events is a part of them', async () => {
  await check('/a?time=5', ['{}', keyed()], [['a', 'k', content('{}time=5')]]);
  await check('/a?json={}', ['', keyed({})], [['a', 'k', content('json={}')]]);
});

test('without a key there is no name', async () => {
  await check('/a', ['{}', JSON_BODY], [['a', null, undefined]]);
  await check('/i/_bulk', ['{"create":{}}\n{}\n', NDJSON], [['i', null, undefined]]);
});

test('a body that becomes several chunks', async () => {
  const body =
    '{"create":{"_index":"a"}}\n{"n":1}\n{"create":{"_index":"b"}}\n{"n":2}\n{"index":{"_index":"a"}}\n{"n":3}\n';
  await check(
    '/_bulk',
    [body, keyed(NDJSON)],
    [
      ['a', 'k', content(body)],
      ['b', 'k', content(body)],
    ],
  );
});

test('items with ids go by their own documents, with a key or without', async () => {
  const body = '{"create":{"_index":"a","_id":"7"}}\n{"n": 1}\n{"create":{"_index":"a"}}\n{"n":2}\n';
  await check(
    '/_bulk',
    [body, keyed(NDJSON)],
    [
      ['a', '7', content('{"n": 1}')],
      ['a', 'k', content(body)],
    ],
  );
  await check(
    '/_bulk',
    [body, NDJSON],
    [
      ['a', '7', content('{"n": 1}')],
      ['a', null, undefined],
    ],
  );
});

test('an entry of the journal goes by its cursor and its fields', async () => {
  const entry = '__CURSOR=c\n__REALTIME_TIMESTAMP=1700000000000000\nMESSAGE=a\n';
  const headers = { 'content-type': 'application/vnd.fdo.journal' };
  await check('/upload', [`${entry}\n`, headers], [['journal', 'c', content(entry)]]);
  await check('/upload', ['MESSAGE=a\n\n', headers], [['journal', null, undefined]]);
});

test('the same tag several times: each chunk has a number', async () => {
  const intake = new FakeIntake();
  const limits = { bodyBytesMax: 1000, smallReserveBytes: 0, heldBytesMax: 1000, waitMs: 1000, timeoutMs: 1000 };
  const context = new HttpContext({
    intake,
    rateOf: () => null,
    debtOf: () => null,
    telemetry: { chunkRejected: () => {}, authFailed: () => {} },
    clock: systemClock,
    bodies: new BodyReader({ intake, clock: systemClock, large: new ByteBudget(1000), ...limits }),
    converter: new Converter({ clock: systemClock, threaded: false }),
    turns: null,
    bodyBytesMax: 1000,
    tokens: null,
    logins: new LoginLimit({ clock: systemClock, pace: { hold: () => Promise.resolve() } }),
    stopping: new AbortController().signal,
    peerOf: () => ({ address: '127.0.0.1', certificateNames: [] }),
    principalOf: () => ({ ...ANYONE, tagPrefix: '' }),
    roomOf: () => ({ rateWaitMs: 0 }),
    timeoutMs: 1000,
    expecting: new WeakSet(),
  });
  await using fastify = Fastify();
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  fastify.post('/', async (request, reply) => {
    using exchange = context.open('loki', request, reply);
    await exchange.body();
    const tags = ['a', 'b', 'a', 'a', 'b'];
    await Promise.all(tags.map((tag) => exchange.accept({ tag, entries: Buffer.from([0x90]), count: 1 })));
    return 'ok';
  });
  const address = await fastify.listen({ port: 0, host: '127.0.0.1' });
  for (let i = 0; i < 2; i += 1) await fetch(address, { method: 'POST', body: 'body', headers: keyed() });
  const names = intake.chunks.map(nameOf);
  assert.deepEqual(
    names.slice(0, 5),
    ['a k', 'b k', 'a k\x001', 'a k\x002', 'b k\x001'].map((name) => [...name.split(' '), content('body')]),
  );
  assert.deepEqual(names.slice(5), names.slice(0, 5));
});

test('a repeat an hour later is the same chunk in every dialect, events without a time included', async () => {
  let nowMs = 1_700_000_000_250;
  const clock: Clock = { ...systemClock, epochMs: () => (nowMs += 3_600_000) };
  await using fixture = await Fixture.start({}, clock);
  const journal = { 'content-type': 'application/vnd.fdo.journal' };
  const cases: [string, string, Record<string, string>][] = [
    ['/a', '{"a":1}', keyed()],
    ['/a', '{"a":1}\n{"a":2}\n', keyed(NDJSON)],
    ['/v1/logs', otlp, keyed()],
    ['/services/collector', '{"event":"a"}', keyed()],
    ['/services/collector/raw', 'a', keyed()],
    ['/loki/api/v1/push', loki, keyed()],
    ['/i/_bulk', '{"create":{}}\n{}\n', keyed(NDJSON)],
    ['/i/_bulk', '{"create":{"_id":"7"}}\n{}\n', NDJSON],
    ['/upload', '__CURSOR=c\nMESSAGE=a\n\n', journal],
  ];
  for (const [path, body, headers] of cases) {
    fixture.intake.chunks.length = 0;
    for (let i = 0; i < 2; i += 1) assert((await fixture.post(path, body, headers)).status < 300, path);
    const [first, again] = fixture.intake.chunks;
    assert(first && again, path);
    assert.deepEqual([nameOf(first), first.entries], [nameOf(again), again.entries], path);
  }
});
