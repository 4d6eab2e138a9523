import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Converter } from '#forwarder/accept/convert/converter.ts';
import { SluiceError } from '#shared/errors.ts';
import { Fixture } from '../accept/http/http-fixture.ts';

const NDJSON = { 'content-type': 'application/x-ndjson' };

test('each item has its answer, in order, when it is held', async () => {
  await using fixture = await Fixture.start();
  const body = '{"create":{}}\n{"a":1}\n{"delete":{"_id":"x"}}\n{"index":{"_index":"b","_id":"y"}}\n{"a":2}\n';
  const answer = await fixture.post('/app/_bulk', gzipSync(body), { ...NDJSON, 'content-encoding': 'gzip' });
  assert.equal(answer.status, 200);
  const { took, errors, items } = JSON.parse(answer.body);
  assert.equal(typeof took, 'number');
  assert.equal(errors, true);
  assert.deepEqual(items, [
    { create: { _index: 'app', _version: 1, result: 'created', status: 201 } },
    {
      delete: {
        _index: 'app',
        _id: 'x',
        status: 400,
        error: { type: 'illegal_argument_exception', reason: 'delete is not supported: documents are only added' },
      },
    },
    { index: { _index: 'b', _id: 'y', _version: 1, result: 'created', status: 201 } },
  ]);
  const known = fixture.intake.chunks.map(({ tag, input, chunkId, count }) => [tag, input, chunkId, count]);
  assert.deepEqual(known, [
    ['app', 'elasticsearch', null, 1],
    ['b', 'elasticsearch', Buffer.from('y'), 1],
  ]);
  assert.deepEqual(fixture.rejected, [
    ['body_malformed', 'Cannot take 1 items: delete is not supported: documents are only added'],
  ]);
});

test('PUT, an index in the URL that is encoded, filter_path, an Idempotency-Key', async () => {
  await using fixture = await Fixture.start();
  const url = `${fixture.url}/a%20b/_bulk?filter_path=errors,items.*.status`;
  const headers = { ...NDJSON, 'idempotency-key': 'k' };
  const response = await fetch(url, { method: 'PUT', body: '{"create":{}}\n{}\n', headers });
  assert.equal(await response.text(), '{"errors":false,"items":[{"create":{"status":201}}]}');
  const { tag, chunkId } = fixture.intake.chunks[0] ?? assert.fail();
  assert.deepEqual([tag, chunkId], ['a b', Buffer.from('k')]);
});

test('the same documents with ids are the same chunks again, whatever comes with them', async () => {
  await using fixture = await Fixture.start();
  const document = (id: string) => `{"create":{"_index":"a","_id":"${id}"}}\n{"message":"${id}"}\n`;
  await fixture.post('/_bulk', document('1') + document('2'), NDJSON);
  await fixture.post('/_bulk', document('3') + document('2') + document('1'), NDJSON);
  const [one, two, three, twoAgain, oneAgain] = fixture.intake.chunks.map((chunk) => ({
    ...chunk,
    bytes: Buffer.from(chunk.bytes).toString('hex'),
    entries: Buffer.from(chunk.entries).toString('hex'),
  }));
  assert.deepEqual(one, oneAgain);
  assert.deepEqual(two, twoAgain);
  assert.notDeepEqual(one, three);
});

test('what is not held may come again: the whole, or item by item', async () => {
  await using fixture = await Fixture.start();
  const body = '{"create":{}}\n{}\n{"create":{"_id":"x"}}\n{}\n';
  fixture.intake.refusal = new SluiceError('queue_full', 'Cannot append: it is full');
  const whole = await fixture.post('/a/_bulk', body, NDJSON);
  assert.equal(whole.status, 503);
  assert.equal(whole.retryAfter, '2');
  assert.equal(JSON.parse(whole.body).error.type, 'unavailable_shards_exception');

  fixture.intake.refuse = ({ chunkId }) =>
    chunkId ? new SluiceError('queue_full', 'Cannot append: it is full') : null;
  const some = await fixture.post('/a/_bulk', body, NDJSON);
  assert.equal(some.status, 200);
  const { errors, items } = JSON.parse(some.body);
  assert.equal(errors, true);
  assert.equal(items[0].create.status, 201);
  assert.equal(items[1].create.status, 429);
  assert.deepEqual(items[1].create.error, {
    type: 'es_rejected_execution_exception',
    reason: 'Cannot append: it is full',
  });
  // Intake has counted them.
  assert.deepEqual(fixture.rejected, []);

  fixture.intake.refuse = () => new TypeError('secret');
  const ours = JSON.parse((await fixture.post('/a/_bulk', body, NDJSON)).body);
  assert.deepEqual(ours.items[0].create.error, {
    type: 'exception',
    reason: 'Cannot take the item: it is an error of ours',
  });
});

test('a request that is refused as a whole', async () => {
  await using fixture = await Fixture.start();
  const check = async (path: string, body: string, status: number, reason: RegExp) => {
    const answer = await fixture.post(path, body, NDJSON);
    assert.equal(answer.status, status);
    const told = JSON.parse(answer.body);
    assert.equal(told.status, status);
    assert.match(told.error.reason, reason);
    assert.deepEqual(told.error.root_cause, [{ type: told.error.type, reason: told.error.reason }]);
  };
  await check('/_bulk', '{"create":{}}\n{}\n', 400, /index is missing \(line 1\)/);
  await check('/a/_bulk', '', 400, /no item/);
  await check('/a/_bulk', 'x'.repeat(300_000), 413, /more than 262144 bytes/);
  await check(`/a/_bulk?filter_path=${'a,'.repeat(50)}`, '{"create":{}}\n{}\n', 400, /filter_path/);
});

test('what clients ask before they send', async () => {
  await using fixture = await Fixture.start();
  const check = async (method: string, path: string, status: number, headers: Record<string, string> = {}) => {
    const response = await fetch(fixture.url + path, { method, headers });
    assert.equal(response.status, status, `${method} ${path}`);
    assert.equal(response.headers.get('x-elastic-product'), 'Elasticsearch');
    return response;
  };
  const about = await check('GET', '/', 200);
  assert.equal(about.headers.get('content-type'), 'application/json');
  assert.match(JSON.stringify(await about.json()), /"number":"9\..*POST \/<tag>/);
  const accept = 'application/vnd.elasticsearch+json; compatible-with=8,text/plain';
  const compatible = await check('GET', '/', 200, { accept });
  assert.equal(compatible.headers.get('content-type'), 'application/vnd.elasticsearch+json;compatible-with=8');
  await check('HEAD', '/', 200);
  await check('GET', '/_license?human=false', 200);
  await check('GET', '/_xpack', 200);
  await check('GET', '/_cluster/health', 200);
  await check('HEAD', '/_index_template/filebeat-9.5.0', 200);
  await check('HEAD', '/_alias/logstash', 200);
  await check('GET', '/_ilm/policy/filebeat', 200);
  await check('PUT', '/_index_template/filebeat-9.5.0', 405);
});

test('items with ids are handed over 256 in a turn, also where each is refused at once', async () => {
  await using fixture = await Fixture.start();
  let [inTurn, most, all] = [0, 0, 0];
  let isOver = false;
  const next = (): void => {
    inTurn = 0;
    if (!isOver) setImmediate(next);
  };
  setImmediate(next);
  fixture.intake.refuse = () => {
    all += 1;
    inTurn += 1;
    most = Math.max(most, inTurn);
    return new SluiceError('entry_too_large', 'Cannot append: it is too large');
  };
  const body = Array.from({ length: 5000 }, (_, n) => `{"create":{"_index":"a","_id":"${n}"}}\n{}\n`).join('');
  const answer = await fetch(`${fixture.url}/_bulk`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body,
  });
  isOver = true;
  assert.equal(answer.status, 200);
  assert.equal(all, 5000);
  assert(most <= 256, `${most}`);
});

test('of many requests with many items sixteen are converted at once; one with few does not wait', async () => {
  const converted = mock.method(Converter.prototype, 'convert');
  await using fixture = await Fixture.start();
  fixture.intake.hold();
  const bulk = (items: number): Promise<Response> =>
    fetch(`${fixture.url}/_bulk`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: Array.from({ length: items }, (_, n) => `{"create":{"_index":"a","_id":"${n}"}}\n{"m":"x"}\n`).join(''),
    });
  const many = Array.from({ length: 20 }, () => bulk(200));
  await fixture.intake.arrived(16 * 200);
  const few = bulk(2);
  await fixture.intake.arrived(16 * 200 + 2);
  assert.equal(converted.mock.callCount(), 16 + 1);
  fixture.intake.release();
  for (const answer of await Promise.all([...many, few])) assert.equal(answer.status, 200);
  assert.equal(fixture.intake.chunks.length, 20 * 200 + 2);
  converted.mock.restore();
});
