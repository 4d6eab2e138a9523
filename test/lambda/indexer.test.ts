// The indexer as a Lambda function: its bundle, called through the Runtime API with events as Lambda gives them, into a
// real Elasticsearch.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { suite, test } from 'node:test';
import { elasticsearch } from '#test/backends/elasticsearch.ts';
import { field, inElasticsearch } from '#test/integration/parts/documents.ts';
import { sluice } from '#test/integration/parts/sluice-process.ts';
import type { KafkaEventAnswer } from '#lambda/kafka-event.ts';
import { kafkaEvent, kafkaRecord } from './kafka-events.ts';
import { INDEXER, LocalRuntime } from './local-runtime.ts';

const found = await elasticsearch();
const url = found?.url ?? '';
const BUNDLE_BYTES_MAX = 3 * 1024 * 1024;

const newTag = (): string => `lambda.${randomBytes(4).toString('hex')}`;
const numbered = (first: number, count: number): { message: string; n: number }[] =>
  Array.from({ length: count }, (_, i) => ({ message: `event ${first + i}`, n: first + i }));
const failures = (...offsets: [string, number][]): KafkaEventAnswer => ({
  batchItemFailures: offsets.map(([partition, offset]) => ({ itemIdentifier: { partition, offset } })),
});

async function numbersOf(tag: string): Promise<number[]> {
  const documents = await inElasticsearch(url)(tag);
  return documents.map((document) => Number(field(document, 'attributes.n'))).sort((a, b) => a - b);
}

const settings = (store: string, more: Record<string, string> = {}): Record<string, string> => ({
  SLUICE_ELASTICSEARCH_URL: store,
  SLUICE_LAMBDA_REPORT_ITEM_FAILURES: 'true',
  SLUICE_LAMBDA_DEADLINE_MARGIN_MS: '500',
  SLUICE_LOG_LEVEL: 'error',
  ...more,
});

/** Passes requests on to Elasticsearch; each `_bulk` only when `gate` lets it. */
class Gate implements AsyncDisposable {
  gate: () => Promise<unknown> = () => Promise.resolve();
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      void (async () => {
        const body: Buffer[] = [];
        for await (const piece of request) body.push(piece);
        if (request.url?.includes('_bulk')) await this.gate();
        const { authorization: _unused, host: _host, connection: _connection, ...headers } = request.headers;
        const answer = await fetch(`${url}${request.url}`, {
          method: request.method ?? 'GET',
          headers: headers as Record<string, string>,
          ...(body.length > 0 ? { body: Buffer.concat(body) } : {}),
        });
        response.writeHead(answer.status, {
          'content-type': answer.headers.get('content-type') ?? 'application/json',
          'x-elastic-product': 'Elasticsearch',
        });
        response.end(Buffer.from(await answer.arrayBuffer()));
      })().catch(() => response.destroy());
    });
  }

  async start(): Promise<string> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

test('the bundle has neither kafkajs nor fastify in it, and stays small', () => {
  const code = readFileSync(INDEXER, 'utf8');
  assert.ok(!/KafkaJSError|FastifyError/.test(code));
  assert.ok(statSync(INDEXER).size < BUNDLE_BYTES_MAX);
  assert.ok(statSync(`${INDEXER}.map`).size > 0, 'it has a source map');
});

suite('Lambda indexer', { skip: found ? false : 'SKIPPED: no Elasticsearch' }, () => {
  test('a batch of two partitions, and the same once more: each event once', async () => {
    assert.equal((await sluice(['setup'], null, settings(url))).code, 0);
    const tag = newTag();
    const event = kafkaEvent([
      await kafkaRecord({ partition: 0, offset: 40, tag, events: numbered(0, 100) }),
      await kafkaRecord({ partition: 0, offset: 41, tag, events: numbered(100, 100) }),
      await kafkaRecord({ partition: 1, offset: 7, tag, events: numbered(200, 50) }),
    ]);
    await using runtime = await new LocalRuntime().start(settings(url));
    assert.deepEqual(await runtime.invoke(event), { answer: failures() });
    assert.deepEqual(await runtime.invoke(event), { answer: failures() });
    assert.deepEqual(
      await numbersOf(tag),
      Array.from({ length: 250 }, (_, n) => n),
    );
    const lines = runtime.stdout.trim().split('\n');
    const printed = lines.map((line): unknown => JSON.parse(line));
    assert.deepEqual(
      printed.map((line) => {
        const { EventsIndexed, EventsDeduplicated } = line as Record<string, number>;
        return { EventsIndexed, EventsDeduplicated };
      }),
      [
        { EventsIndexed: 250, EventsDeduplicated: 0 },
        { EventsIndexed: 0, EventsDeduplicated: 250 },
      ],
    );
  });

  test('a deadline in the middle: the first unfinished offset of each partition; the next call does the rest', async () => {
    const tag = newTag();
    const [first, second] = [
      await kafkaRecord({ partition: 0, offset: 10, tag, events: numbered(0, 400) }),
      await kafkaRecord({ partition: 0, offset: 11, tag, events: numbered(400, 400) }),
    ];
    const other = await kafkaRecord({ partition: 2, offset: 5, tag, events: numbered(800, 10) });
    await using gate = new Gate();
    // A bulk request for about each record, and all but the first wait for ever.
    const store = settings(await gate.start(), { SLUICE_BULK_MAX_BYTES: '65536', SLUICE_BULK_CONCURRENCY: '1' });
    await using runtime = await new LocalRuntime().start(store);
    let passed = 0;
    const never = Promise.withResolvers<void>();
    gate.gate = () => (passed++ < 2 ? Promise.resolve() : never.promise);
    const event = kafkaEvent([first, second, other]);
    const cut = await runtime.invoke(event, 2500);
    assert.ok('answer' in cut, JSON.stringify(cut));
    const { batchItemFailures } = cut.answer as KafkaEventAnswer;
    const offsets = new Map(batchItemFailures.map(({ itemIdentifier: { partition, offset } }) => [partition, offset]));
    assert.ok(offsets.size > 0, 'something is unfinished');
    const next = offsets.get('sluice.logs-0') ?? 12;
    assert.ok(next === 10 || next === 11, `the first unfinished offset: ${next}`);

    gate.gate = () => Promise.resolve();
    never.resolve();
    const rest = Object.entries(event.records).flatMap(([name, records]) =>
      records.filter(({ offset }) => offset >= (offsets.get(name) ?? Infinity)),
    );
    assert.deepEqual(await runtime.invoke(kafkaEvent(rest)), { answer: failures() });
    assert.deepEqual(
      await numbersOf(tag),
      Array.from({ length: 810 }, (_, n) => n),
    );
  });

  test('Elasticsearch away: nothing is passed; without item failures the call fails as a whole', async () => {
    const tag = newTag();
    const event = kafkaEvent([await kafkaRecord({ partition: 3, offset: 99, tag, events: numbered(0, 5) })]);
    const nowhere = 'http://127.0.0.1:9';
    {
      await using runtime = await new LocalRuntime().start(settings(nowhere));
      assert.deepEqual(await runtime.invoke(event, 2000), { answer: failures(['sluice.logs-3', 99]) });
    }
    {
      const whole = settings(nowhere, { SLUICE_LAMBDA_REPORT_ITEM_FAILURES: 'false' });
      await using runtime = await new LocalRuntime().start(whole);
      const failed = await runtime.invoke(event, 2000);
      assert.ok(
        'error' in failed && failed.error.errorMessage.startsWith('Cannot finish the batch: '),
        JSON.stringify(failed),
      );
    }
    await using runtime = await new LocalRuntime().start(settings(url));
    assert.deepEqual(await runtime.invoke(event), { answer: failures() });
    assert.equal((await numbersOf(tag)).length, 5);
  });

  test('what cannot be read goes to the dead letters before its offset is passed, once for all repeats', async () => {
    const tag = newTag();
    const good = await kafkaRecord({ partition: 4, offset: 1, tag, events: numbered(0, 3) });
    const position = `sluice.logs/4/${2 + Math.floor(Math.random() * 1e9)}`;
    const offset = Number(position.split('/')[2]);
    const bad = {
      ...(await kafkaRecord({ partition: 4, offset, tag, events: numbered(3, 1) })),
      value: 'bm90IHpzdGQ=',
    };
    await using runtime = await new LocalRuntime().start(settings(url));
    for (let call = 0; call < 2; call++) {
      assert.deepEqual(await runtime.invoke(kafkaEvent([good, bad])), { answer: failures() });
    }
    assert.deepEqual(await numbersOf(tag), [0, 1, 2]);
    await fetch(`${url}/logs-sluice.dead_letters-default/_refresh`, { method: 'POST' });
    const answer = await fetch(`${url}/logs-sluice.dead_letters-default/_search`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: { term: { 'attributes.from': position } } }),
    });
    const { hits } = (await answer.json()) as { hits: { hits: { _source: Record<string, unknown> }[] } };
    assert.equal(hits.hits.length, 1);
    const [deadLetter] = hits.hits;
    assert.equal(field(deadLetter?._source ?? {}, 'attributes.reason'), 'record_malformed');
    assert.equal(field(deadLetter?._source ?? {}, 'attributes.value'), 'bm90IHpzdGQ=');
  });

  test('the tail of a split line comes again, and is passed on marked when nothing precedes it', async () => {
    const tag = newTag();
    const part = (ordinal: number, last: boolean): Record<string, string> => ({
      log: `part ${ordinal} `,
      partial_message: 'true',
      partial_id: 'line',
      partial_ordinal: String(ordinal),
      partial_last: String(last),
      container_id: 'c1',
    });
    const whole = await kafkaRecord({ partition: 5, offset: 1, tag, events: numbered(0, 1) });
    const first = await kafkaRecord({ partition: 5, offset: 2, tag, events: [part(1, false)] });
    const last = await kafkaRecord({ partition: 5, offset: 3, tag, events: [part(2, true)] });
    const messages = async (): Promise<unknown[]> =>
      (await inElasticsearch(url)(tag)).map((document) => field(document, 'message'));
    await using runtime = await new LocalRuntime().start(settings(url));
    assert.deepEqual(await runtime.invoke(kafkaEvent([whole, first])), { answer: failures(['sluice.logs-5', 2]) });
    assert.deepEqual(await messages(), ['event 0']);
    assert.deepEqual(await runtime.invoke(kafkaEvent([first, last])), { answer: failures() });
    assert.deepEqual(await messages(), ['event 0', 'part 1 part 2 ']);
    const alone = await kafkaRecord({
      partition: 5,
      offset: 9,
      tag,
      events: [{ ...part(1, false), partial_id: 'other' }],
    });
    assert.deepEqual(await runtime.invoke(kafkaEvent([alone])), { answer: failures() });
    assert.equal((await messages()).length, 3);
  });

  test('an event of another source is refused in words', async () => {
    await using runtime = await new LocalRuntime().start(settings(url));
    const failed = await runtime.invoke({ Records: [] });
    assert.ok('error' in failed && failed.error.errorMessage.includes('not from Kafka'), JSON.stringify(failed));
  });
});
