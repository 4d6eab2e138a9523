import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { compress } from 'snappyjs';
import { SluiceError } from '#shared/errors.ts';
import { Fixture, JSON_BODY, records } from '../accept/http/http-fixture.ts';

const PATH = '/loki/api/v1/push';
const PROTOBUF_BODY = { 'content-type': 'application/x-protobuf' };
const json = '{"streams":[{"stream":{"a":"b"},"values":[["1","x"]]}]}';
const writer = new BinaryWriter().uint32(0x0a).fork().uint32(0x0a).string('{a="b"}');
const protobuf = Buffer.from(writer.uint32(0x12).fork().uint32(0x12).string('x').join().join().finish());

test('JSON, and protobuf packed by Snappy, whether a header says so or not', async () => {
  await using fixture = await Fixture.start();
  const check = async (body: string | Buffer, headers: Record<string, string>) => {
    fixture.intake.chunks.length = 0;
    assert.deepEqual(await fixture.post(PATH, body, headers), { status: 204, body: '', retryAfter: null });
    assert.deepEqual(records(fixture), [{ a: 'b', log: 'x' }]);
    const { tag, input } = fixture.intake.chunks[0] ?? assert.fail();
    assert.deepEqual([tag, input], ['loki', 'loki']);
  };
  await check(json, JSON_BODY);
  await check(gzipSync(json), { ...JSON_BODY, 'content-encoding': 'gzip' });
  await check(compress(protobuf), PROTOBUF_BODY);
  await check(compress(protobuf), { ...PROTOBUF_BODY, 'content-encoding': 'snappy' });
});

test('refusals in plain text', async () => {
  await using fixture = await Fixture.start();
  const check = async (body: string | Buffer, headers: Record<string, string>, status: number, text: RegExp) => {
    const answer = await fixture.post(PATH, body, headers);
    assert.equal(answer.status, status);
    assert.match(answer.body, text);
  };
  await check('{', JSON_BODY, 400, /^Cannot read the body: .*\n$/);
  await check('hello', PROTOBUF_BODY, 400, /^Cannot unpack the body/);
  await check(compress(Buffer.from('hello')), PROTOBUF_BODY, 400, /protobuf is wrong/);
  await check(compress(Buffer.alloc(300_000)), PROTOBUF_BODY, 413, /grows to more than/);
  await check('{}', { ...JSON_BODY, 'content-encoding': 'br' }, 415, /Content-Encoding/);
  fixture.intake.refusal = new SluiceError('intake_full', 'Cannot take: x');
  await check(json, JSON_BODY, 429, /Cannot take: x/);
});

test('/ready', async () => {
  await using fixture = await Fixture.start();
  assert.equal(await (await fetch(`${fixture.url}/ready`)).text(), 'ready\n');
  fixture.intake.unreadyReason = 'no broker answers';
  const answer = await fetch(`${fixture.url}/ready`);
  assert.equal(answer.status, 503);
  assert.equal(await answer.text(), 'not ready\n', 'anyone may ask');
});
