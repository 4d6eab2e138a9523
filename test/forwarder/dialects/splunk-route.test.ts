import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { SluiceError } from '#shared/errors.ts';
import { ByteBudget } from '#shared/byte-budget.ts';
import { systemClock } from '#shared/clock.ts';
import { BODY_BYTES_MAX, Fixture, records } from '../accept/http/http-fixture.ts';

test('events and lines, at each of their paths', async () => {
  await using fixture = await Fixture.start();
  const check = async (path: string, body: string | Buffer, headers: Record<string, string>, expected: unknown[]) => {
    fixture.intake.chunks.length = 0;
    const answer = await fixture.post(`/services/collector${path}`, body, headers);
    assert.deepEqual(answer, { status: 200, body: '{"text":"Success","code":0}', retryAfter: null });
    assert.deepEqual(records(fixture), expected);
    const { tag, input, count } = fixture.intake.chunks[0] ?? assert.fail();
    assert.deepEqual([tag, input, count], ['splunk', 'splunk', expected.length]);
  };
  const events = '{"event":"a"}{"event":"b"}';
  const expected = [{ log: 'a' }, { log: 'b' }];
  await check('', events, {}, expected);
  await check('/event', events, { 'content-type': 'application/json' }, expected);
  await check('/event/1.0', gzipSync(events), { 'content-encoding': 'gzip' }, expected);
  await check('/raw', 'a\nb', {}, expected);
  await check('/raw/1.0?host=h&index=i', 'a', {}, [{ 'host.name': 'h', 'splunk.index': 'i', log: 'a' }]);
});

test('with a channel each request has an ackId, and it is true', async () => {
  await using fixture = await Fixture.start();
  const channel = { 'x-splunk-request-channel': 'fe0ecfad-13d5-401b-847d-77833bd77131' };
  const send = async (path: string, headers: Record<string, string>) =>
    JSON.parse((await fixture.post(path, '{"event":"a"}', headers)).body);
  assert.deepEqual(await send('/services/collector', channel), { text: 'Success', code: 0, ackId: 0 });
  assert.deepEqual(await send('/services/collector?channel=x', {}), { text: 'Success', code: 0, ackId: 1 });
  const asked = await fixture.post('/services/collector/ack', '{"acks":[0,1]}', channel);
  assert.equal(asked.body, '{"acks":{"0":true,"1":true}}');
  const check = async (body: string, headers: Record<string, string>, code: number) => {
    const answer = await fixture.post('/services/collector/ack', body, headers);
    assert.equal(answer.status, 400);
    assert.equal(JSON.parse(answer.body).code, code);
  };
  await check('{"acks":[0]}', {}, 10);
  await check('{"acks":[0]}', { 'x-splunk-request-channel': 'x'.repeat(200) }, 11);
  await check('{"acks":["0"]}', channel, 6);
  await check('{"acks":', channel, 6);
  const quoted = await fixture.post('/services/collector/ack', 'hunter2', channel);
  assert.doesNotMatch(quoted.body, /hunter2/, 'an error is written to the log, and no log holds a payload');
  await check('7', channel, 6);
});

test('what Docker asks before a container starts, and health', async () => {
  await using fixture = await Fixture.start();
  const status = async (method: string, path: string) =>
    (await fetch(`${fixture.url}/services/collector${path}`, { method })).status;
  assert.equal(await status('OPTIONS', '/event/1.0'), 200);
  assert.equal(await status('GET', '/health'), 200);
  assert.equal(await status('GET', '/health/1.0'), 200);
  fixture.intake.unreadyReason = 'no broker answers';
  assert.equal(await status('GET', '/health'), 503);
  assert.equal(await status('GET', '/events'), 404);
});

test("refusals have Splunk's numbers", async () => {
  await using fixture = await Fixture.start();
  const check = async (
    body: string | Buffer,
    status: number,
    expected: object,
    headers: Record<string, string> = {},
  ) => {
    const answer = await fixture.post('/services/collector', body, headers);
    assert.equal(answer.status, status, answer.body);
    assert.deepEqual(JSON.parse(answer.body), expected);
    assert.equal(answer.retryAfter !== null, status === 503);
  };
  await check('', 400, { text: 'No data', code: 5 });
  await check('{"event":"a"}x', 400, { text: 'Invalid data format', code: 6, 'invalid-event-number': 1 });
  await check('{"event":""}', 400, { text: 'Event field cannot be blank', code: 13, 'invalid-event-number': 0 });
  await check('{}', 400, { text: 'Event field is required', code: 12, 'invalid-event-number': 0 });
  await check(Buffer.alloc(BODY_BYTES_MAX + 1), 413, { text: 'Request entity too large', code: 27 });
  const bomb = gzipSync(Buffer.alloc(64 * BODY_BYTES_MAX, ' '));
  await check(bomb, 413, { text: 'Request entity too large', code: 27 }, { 'content-encoding': 'gzip' });
  await check('{}', 400, { text: 'Invalid data format', code: 6 }, { 'content-encoding': 'br' });
  fixture.intake.refusal = new SluiceError('queue_full', 'Cannot append: x');
  await check('{"event":"a"}', 503, { text: 'Server is busy', code: 9 });
  fixture.intake.refusal = new TypeError('secret');
  await check('{"event":"a"}', 500, { text: 'Internal server error', code: 8 });
});

test('more events than their bytes are worth are refused, whatever fields each of them is given', async () => {
  const bodyBytesMax = 64 * 1024 * 1024;
  await using fixture = await Fixture.start({}, systemClock, { bodyBytesMax, large: new ByteBudget(bodyBytesMax) });
  const check = async (path: string, body: string, status: number): Promise<void> => {
    const answer = await fixture.post(path, body);
    assert.equal(answer.status, status, `${path}: ${answer.body.slice(0, 200)}`);
  };
  const source = '?source=a-source-of-some-length';
  await check(`/services/collector/raw${source}`, 'x\n'.repeat(100_000), 200);
  await check(`/services/collector/raw${source}`, 'x\n'.repeat(100_001), 413);
  await check('/services/collector', '{"event":1}'.repeat(100_001), 413);
  await check('/services/collector', '{"event":"12345"}'.repeat(100_001), 200);
  const records = '{},'.repeat(100_001).slice(0, -1);
  const otlp = `{"resourceLogs":[{"scopeLogs":[{"logRecords":[${records}]}]}]}`;
  const answer = await fixture.post('/v1/logs', otlp, { 'content-type': 'application/json' });
  assert.equal(answer.status, 413);
});
