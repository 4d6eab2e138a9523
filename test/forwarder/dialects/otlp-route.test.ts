import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { SluiceError } from '#shared/errors.ts';
import { BODY_BYTES_MAX, Fixture, JSON_BODY, records } from '../accept/http/http-fixture.ts';
import { type Request, protobufOf } from './otlp-message.ts';

const PROTOBUF_BODY = { 'content-type': 'application/x-protobuf' };
const two: Request = {
  resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: { stringValue: 'a' } }, { body: { stringValue: 'b' } }] }] }],
};

test('both encodings, compressed or not, are answered in kind when the records are held', async () => {
  await using fixture = await Fixture.start();
  const check = async (body: string | Buffer, headers: Record<string, string>, answer: string) => {
    fixture.intake.chunks.length = 0;
    const response = await fetch(`${fixture.url}/v1/logs`, { method: 'POST', body: Buffer.from(body), headers });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), headers['content-type']);
    assert.equal(await response.text(), answer);
    assert.deepEqual(records(fixture), [{ log: 'a' }, { log: 'b' }]);
    const { tag, input, tenant, sender, chunkId, count } = fixture.intake.chunks[0] ?? assert.fail();
    assert.deepEqual([tag, input, tenant, sender, chunkId, count], ['otlp', 'otlp', null, '127.0.0.1', null, 2]);
  };
  await check(JSON.stringify(two), JSON_BODY, '{}');
  await check(gzipSync(JSON.stringify(two)), { ...JSON_BODY, 'content-encoding': 'gzip' }, '{}');
  await check(protobufOf(two), PROTOBUF_BODY, '');
  await check(gzipSync(protobufOf(two)), { ...PROTOBUF_BODY, 'content-encoding': 'gzip' }, '');
});

test('an empty request is taken; a tag may be asked for; an Idempotency-Key names the chunk', async () => {
  await using fixture = await Fixture.start();
  assert.equal((await fixture.post('/v1/logs', '', PROTOBUF_BODY)).status, 200);
  assert.equal((await fixture.post('/v1/logs', '{}', JSON_BODY)).status, 200);
  assert.equal(fixture.intake.chunks.length, 0);
  const headers = { ...PROTOBUF_BODY, 'x-sluice-tag': 'app.web', 'idempotency-key': 'k' };
  for (let i = 0; i < 2; i += 1) await fixture.post('/v1/logs', protobufOf(two), headers);
  const [first, second] = fixture.intake.chunks;
  assert.deepEqual(first, second);
  assert.equal(first?.tag, 'app.web');
  assert.deepEqual(first?.chunkId, Buffer.from('k'));
  assert.equal((await fixture.post('/v1/logs', '{}', { ...JSON_BODY, 'x-sluice-tag': '\xff' })).status, 400);
});

test('records that cannot be taken are told of, and counted', async () => {
  await using fixture = await Fixture.start();
  const body = {
    resourceLogs: [{ scopeLogs: [{ logRecords: [{ timeUnixNano: 'x' }, { body: { stringValue: 'a' } }] }] }],
  };
  const answer = await fixture.post('/v1/logs', JSON.stringify(body));
  assert.equal(answer.status, 200);
  assert.deepEqual(JSON.parse(answer.body), {
    partialSuccess: { rejectedLogRecords: '1', errorMessage: 'its timeUnixNano is no integer' },
  });
  assert.deepEqual(records(fixture), [{ log: 'a' }]);
  assert.deepEqual(fixture.rejected, [['body_malformed', 'Cannot take 1 log records: its timeUnixNano is no integer']]);
  const none = { resourceLogs: [{ scopeLogs: [{ logRecords: [{ timeUnixNano: 'x' }] }] }] };
  assert.equal((await fixture.post('/v1/logs', JSON.stringify(none))).status, 400);
});

test('refusals have a Status in the encoding of the request', async () => {
  await using fixture = await Fixture.start();
  const check = async (body: string | Buffer, headers: Record<string, string>, status: number, code: number) => {
    const answer = await fixture.post('/v1/logs', body, headers);
    assert.equal(answer.status, status, answer.body);
    assert.equal(answer.retryAfter !== null, status === 429 || status === 503);
    if (headers['content-type'] === 'application/x-protobuf') assert.equal(answer.body.charCodeAt(1), code);
    else assert.equal(JSON.parse(answer.body).code, code);
  };
  await check('{', JSON_BODY, 400, 3);
  await check('hello', PROTOBUF_BODY, 400, 3);
  await check('{}', { 'content-type': 'text/plain' }, 415, 3);
  await check('{}', { ...JSON_BODY, 'content-encoding': 'br' }, 415, 3);
  await check(gzipSync(Buffer.alloc(64 * BODY_BYTES_MAX)), { ...PROTOBUF_BODY, 'content-encoding': 'gzip' }, 413, 3);
  fixture.intake.refusal = new SluiceError('queue_unavailable', 'Cannot append: x');
  await check(protobufOf(two), PROTOBUF_BODY, 503, 14);
  await check(JSON.stringify(two), JSON_BODY, 503, 14);
});
