// The forwarder as a Lambda function: its bundle, called through the Runtime API with requests in the four forms that
// AWS gives them, into a real Kafka. `sluice cat` shows what Kafka has then.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { encode } from '@msgpack/msgpack';
import { kafka } from '#test/backends/kafka.ts';
import { kafkaConfig, removeTopics } from '#test/contract/queue-places.ts';
import { protobufOf } from '#test/forwarder/dialects/otlp-message.ts';
import { sluice } from '#test/integration/parts/sluice-process.ts';
import { albEvent, type HttpCall, httpApiEvent, restApiEvent } from './http-events.ts';
import { FORWARDER, LocalRuntime } from './local-runtime.ts';

const found = await kafka();
/** A third of it is AWS's signer with its search for credentials, which is evaluated with the first token only. */
const BUNDLE_BYTES_MAX = 3.5 * 1024 * 1024;
const TOKEN = 'a-token-of-the-test';
const JSON_TYPE = 'application/json';
const bearer = { authorization: `Bearer ${TOKEN}` };

interface Answer {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly multiValueHeaders?: Record<string, string[]>;
  readonly body: string;
  readonly isBase64Encoded?: boolean;
}

async function call(runtime: LocalRuntime, event: object, timeoutMs?: number): Promise<Answer> {
  const invoked = await runtime.invoke(event, timeoutMs);
  assert('answer' in invoked, JSON.stringify(invoked));
  return invoked.answer as Answer;
}

const jsonCall = (tag: string, body = `{"tag":"${tag}"}`): HttpCall => ({
  path: `/${tag}`,
  headers: { 'content-type': JSON_TYPE, ...bearer },
  body,
});

test('the bundle stays small, and has its source map', () => {
  assert.ok(statSync(FORWARDER).size < BUNDLE_BYTES_MAX);
  assert.ok(statSync(`${FORWARDER}.map`).size > 0);
});

suite('Lambda forwarder', { skip: found ? false : 'SKIPPED: no Kafka' }, () => {
  const config = kafkaConfig(found?.brokers ?? []);
  const folder = mkdtempSync(join(tmpdir(), 'sluice-lambda-'));
  const settings = {
    SLUICE_KAFKA_BROKERS: found?.brokers.join() ?? '',
    SLUICE_KAFKA_TOPIC: config['kafka.topic'],
    SLUICE_KAFKA_DEAD_LETTER_TOPIC: config['kafka.dead_letter_topic'],
    SLUICE_KAFKA_PARTITIONS: '3',
  };
  const tokens = join(folder, 'tokens.yaml');
  const guarded = { ...settings, SLUICE_HTTP_TOKENS: tokens, SLUICE_LOG_LEVEL: 'error' };

  before(async () => {
    writeFileSync(tokens, `- token: ${TOKEN}\n`);
    const { code, stderr } = await sluice(['setup'], null, { ...settings, SLUICE_DATA_DIR: folder });
    assert.equal(code, 0, stderr);
  });
  after(async () => {
    rmSync(folder, { recursive: true });
    await removeTopics(config);
  });

  interface Event {
    readonly tag: string;
    readonly input: string;
    readonly sender: string;
    readonly record: Record<string, unknown>;
  }

  /** What Kafka has under tags that begin so, by tag. */
  async function held(prefix: string): Promise<Event[]> {
    const { code, stdout, stderr } = await sluice(['cat'], null, settings);
    assert.equal(code, 0, stderr);
    const events = stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Event]));
    return events.filter(({ tag }) => tag.startsWith(prefix)).sort((a, b) => (a.tag < b.tag ? -1 : 1));
  }

  test('requests of all four forms are in Kafka when they are answered', async () => {
    await using runtime = await new LocalRuntime(FORWARDER).start(guarded);
    const gzipped = (tag: string): HttpCall => ({
      ...jsonCall(tag),
      headers: { 'Content-Type': JSON_TYPE, 'Content-Encoding': 'gzip', ...bearer },
      body: gzipSync(`[{"n":1},{"n":2}]`),
    });
    const packed: HttpCall = {
      ...jsonCall('four.url'),
      headers: { 'content-type': 'application/msgpack', ...bearer },
      body: encode({ bytes: 'ÿ', n: 3 }),
    };
    const answers = [
      await call(runtime, restApiEvent(jsonCall('four.rest', '{"text":"größer"}'))),
      await call(runtime, restApiEvent(gzipped('four.rest.gzip'))),
      await call(runtime, httpApiEvent(gzipped('four.http'), 'prod')),
      await call(runtime, httpApiEvent(packed)),
      await call(runtime, albEvent({ ...jsonCall('four.alb'), query: { time: '1518756037.25' } })),
      await call(
        runtime,
        albEvent(jsonCall('four.alb.lists'), { inLists: true, forwarded: '127.0.0.1, 198.51.100.9' }),
      ),
    ];
    assert.deepEqual(
      answers.map(({ statusCode, body, isBase64Encoded }) => ({ statusCode, body, isBase64Encoded })),
      [1, 2, 2, 1, 1, 1].map((n) => ({ statusCode: 200, body: `{"accepted":${n}}`, isBase64Encoded: false })),
    );
    // A balancer that gives lists of headers takes nothing else.
    assert.deepEqual(answers.at(-1)?.multiValueHeaders?.['content-type'], ['application/json; charset=utf-8']);
    const events = await held('four.');
    assert.deepEqual(
      events.map(({ tag, sender, record }) => [tag, sender, record]),
      [
        ['four.alb', '203.0.113.7', { tag: 'four.alb' }],
        ['four.alb.lists', '198.51.100.9', { tag: 'four.alb.lists' }],
        ['four.http', '203.0.113.7', { n: 1 }],
        ['four.http', '203.0.113.7', { n: 2 }],
        ['four.rest', '203.0.113.7', { text: 'größer' }],
        ['four.rest.gzip', '203.0.113.7', { n: 1 }],
        ['four.rest.gzip', '203.0.113.7', { n: 2 }],
        ['four.url', '203.0.113.7', { bytes: 'ÿ', n: 3 }],
      ],
    );
    const printed = runtime.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, number>);
    assert.deepEqual(
      printed.map(({ EventsAccepted }) => EventsAccepted),
      [1, 2, 2, 1, 1, 1],
    );
  });

  test('the dialects answer in their own words, protobuf too', async () => {
    await using runtime = await new LocalRuntime(FORWARDER).start(guarded);
    const record = { body: { stringValue: 'by otlp' }, timeUnixNano: '1700000000000000000' };
    const message = protobufOf({ resourceLogs: [{ scopeLogs: [{ logRecords: [record] }] }] });
    const headers = { 'content-type': 'application/x-protobuf', 'x-sluice-tag': 'dialect.otlp', ...bearer };
    const otlp = await call(runtime, httpApiEvent({ path: '/v1/logs', headers, body: message }));
    assert.deepEqual([otlp.statusCode, otlp.isBase64Encoded, otlp.body], [200, true, '']);
    const refused = await call(runtime, httpApiEvent({ path: '/v1/logs', headers, body: Buffer.from('not protobuf') }));
    assert.equal(refused.statusCode, 400);
    assert.match(Buffer.from(refused.body, 'base64').toString(), /Cannot /);
    const bulk = await call(runtime, {
      ...httpApiEvent({
        path: '/dialect.bulk/_bulk',
        query: { filter_path: 'errors,items.*.status' },
        headers: { 'content-type': 'application/x-ndjson', 'x-sluice-tag': 'dialect.bulk', ...bearer },
        body: '{"create":{}}\n{"message":"by bulk"}\n',
      }),
    });
    assert.deepEqual(JSON.parse(bulk.body), { errors: false, items: [{ create: { status: 201 } }] });
    assert.deepEqual(
      (await held('dialect.')).map(({ tag, input }) => [tag, input]),
      [
        ['dialect.bulk', 'elasticsearch'],
        ['dialect.otlp', 'otlp'],
      ],
    );
  });

  test('what is refused is answered, and the function lives on', async () => {
    await using runtime = await new LocalRuntime(FORWARDER).start({
      ...guarded,
      SLUICE_ALLOW_NETWORKS: '203.0.113.0/24',
    });
    const statusOf = async (event: object): Promise<number> => (await call(runtime, event)).statusCode;
    const good = jsonCall('refused.good');
    assert.equal(await statusOf(restApiEvent({ ...good, headers: { 'content-type': JSON_TYPE } })), 401);
    assert.equal(await statusOf(restApiEvent({ ...good, body: '{"cut":' })), 400);
    assert.equal(await statusOf(restApiEvent({ ...good, headers: { ...bearer, 'content-type': 'image/png' } })), 415);
    assert.equal(await statusOf(restApiEvent({ ...good, method: 'DELETE' })), 405);
    assert.equal(await statusOf(albEvent({ ...good, query: { time: '%' } })), 400);
    // The gateway says who may send, never the sender.
    assert.equal(await statusOf(httpApiEvent({ ...good, source: '192.0.2.1' })), 401);
    assert.equal(await statusOf(albEvent(good, { forwarded: '203.0.113.7, 192.0.2.1' })), 401);
    assert.equal(await statusOf(albEvent(good, { forwarded: 'unix' })), 401);
    const other = await runtime.invoke({ Records: [] });
    assert('error' in other && other.error.errorMessage.includes('no request by HTTP'), JSON.stringify(other));
    assert.equal(await statusOf(restApiEvent(good)), 200);
    assert.equal((await held('refused.')).length, 1);
  });

  test('while Kafka is away: 503 with Retry-After before the deadline', async () => {
    const away = { ...guarded, SLUICE_KAFKA_BROKERS: '127.0.0.1:9' };
    await using runtime = await new LocalRuntime(FORWARDER).start(away);
    const answer = await call(runtime, restApiEvent(jsonCall('away')), 3000);
    assert.equal(answer.statusCode, 503);
    assert.equal(answer.headers['retry-after'], '2');
  });

  test('without tokens, networks or the operator’s word it does not start', async () => {
    await using runtime = await new LocalRuntime(FORWARDER).start({ ...settings, SLUICE_LOG_LEVEL: 'error' });
    await assert.rejects(runtime.invoke(restApiEvent(jsonCall('open'))), /SLUICE_INSECURE=http/);
  });
});
