// Documents go to data streams only, on a server that would make a plain index of any name.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OpenSearchStreams } from '#shared/store/opensearch/streams.ts';
import type { BulkOutcome, BulkRequest } from '#shared/store/store.ts';
import { bulkRequest, testId } from '#test/contract/store-bodies.ts';

const CREATED = (index: string): BulkOutcome => ({ status: 201, backing: `.ds-${index}-000001` });

/** `there`: data streams that are; `making`: what the making of any other is answered. */
class Server {
  readonly there: Set<string>;
  readonly asked: string[] = [];
  readonly bodies: string[] = [];
  making: { status: number; text: string } = { status: 400, text: 'no matching index template found for data stream' };
  outcome = CREATED;

  constructor(...there: string[]) {
    this.there = new Set(there);
  }

  readonly streams = new OpenSearchStreams(async ({ method, path }) => {
    this.asked.push(`${method} ${path}`);
    if (this.there.has(path.slice('/_data_stream/'.length))) return { status: 200, text: '' };
    return method === 'GET' ? { status: 404, text: '' } : this.making;
  });

  send(request: BulkRequest): Promise<BulkOutcome[]> {
    return this.streams.bulk(request, async ({ body, items }) => {
      this.bodies.push(Buffer.from(body).toString());
      for (const { actionStart, docStart, docEnd, id, index } of items) {
        const action = JSON.parse(Buffer.from(body.subarray(actionStart, docStart)).toString()) as unknown;
        assert.deepEqual(action, { create: { _index: index, _id: id } });
        assert.doesNotThrow(() => void JSON.parse(Buffer.from(body.subarray(docStart, docEnd)).toString()));
      }
      return items.map(({ index }) => this.outcome(index));
    });
  }
}

const documents = (...indices: string[]) =>
  bulkRequest(indices.map((index, i) => ({ id: testId(1, i), index, document: { message: `m${i}` } })));
const statuses = (outcomes: readonly BulkOutcome[]) => outcomes.map(({ status }) => status);

test('a data stream is looked for once, and the body goes as it is', async () => {
  const server = new Server('a', 'b');
  const request = documents('a', 'b', 'a');
  assert.deepEqual(statuses(await server.send(request)), [201, 201, 201]);
  await server.send(request);
  assert.deepEqual(server.asked, ['GET /_data_stream/a', 'GET /_data_stream/b']);
  assert.equal(server.bodies[0], Buffer.from(request.body).toString());
});

test('items whose data stream cannot be made are not sent, and the others are', async () => {
  const server = new Server('a');
  const outcomes = await server.send(documents('x', 'a', 'x', 'a', 'y'));
  assert.deepEqual(statuses(outcomes), [404, 201, 404, 201, 404]);
  assert.equal(outcomes[0]?.errorType, 'index_not_found_exception');
  assert.match(outcomes[4]?.errorReason ?? '', /no data stream y.*sluice setup/);
  assert.equal(server.bodies[0]?.match(/"message"/g)?.length, 2);
  // `sluice setup` was run.
  server.there.add('x');
  assert.deepEqual(statuses(await server.send(documents('x', 'y'))), [201, 404]);
  server.bodies.splice(0);
  assert.deepEqual(statuses(await server.send(documents('y'))), [404]);
  assert.deepEqual(server.bodies, [], 'nothing is left to send');
});

test('one that is missing is made, also by another at the same time', async () => {
  const server = new Server();
  server.making = { status: 200, text: '{"acknowledged":true}' };
  assert.deepEqual(statuses(await server.send(documents('a'))), [201]);
  const late = new Server();
  late.making = { status: 400, text: '{"error":{"type":"resource_already_exists_exception"}}' };
  assert.deepEqual(statuses(await late.send(documents('a'))), [201]);
});

test('a server that is busy is asked again by the caller', async () => {
  for (const status of [429, 503]) {
    const server = new Server();
    server.making = { status, text: '' };
    await assert.rejects(server.send(documents('a')), { code: 'store_unavailable' });
  }
});

test('who may not make one is told so by item', async () => {
  const server = new Server();
  server.making = { status: 403, text: '' };
  assert.deepEqual(statuses(await server.send(documents('a'))), [403]);
});

test('what went to a plain index is no success, nor is a repeat of it', async () => {
  for (const status of [201, 409]) {
    const server = new Server('a');
    server.outcome = (backing) => ({ status, backing });
    await assert.rejects(server.send(documents('a')), { code: 'store_refused', message: /no data stream/ });
  }
});

test('after a 404 it is looked for again', async () => {
  const server = new Server('a');
  server.outcome = () => ({ status: 404, errorType: 'index_not_found_exception' });
  await server.send(documents('a'));
  await server.send(documents('a'));
  assert.equal(server.asked.length, 2);
});
