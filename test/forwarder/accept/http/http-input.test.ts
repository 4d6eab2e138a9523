// `POST /<tag>`: formats and encodings, names, times, and what is taken from the URL.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { encode } from '@msgpack/msgpack';
import { BODY_BYTES_MAX, Fixture, JSON_BODY, records } from './http-fixture.ts';

test('each format, each encoding', async () => {
  await using fixture = await Fixture.start();
  const check = async (body: string | Buffer, headers: Record<string, string>, count: number) => {
    fixture.intake.chunks.length = 0;
    const answer = await fixture.post('/app.web', body, headers);
    assert.deepEqual(answer, { status: 200, body: `{"accepted":${count}}`, retryAfter: null });
    const expected = Array.from({ length: count }, (_, i) => ({ a: i + 1 }));
    assert.deepEqual(records(fixture), expected);
    const chunk = fixture.intake.chunks[0];
    if (count === 0) return assert.equal(chunk, undefined);
    assert(chunk);
    const { entries, bytes, ...rest } = chunk;
    assert.equal(entries, bytes);
    const known = { tag: 'app.web', input: 'http', tenant: null, sender: '127.0.0.1', chunkId: null };
    assert.deepEqual(rest, { ...known, encoding: 'identity', count });
  };
  const json = '[{"a":1},{"a":2}]';
  await check('{"a":1}', JSON_BODY, 1);
  await check(json, JSON_BODY, 2);
  await check('[]', JSON_BODY, 0);
  await check('{"a":1}\n{"a":2}\n', { 'content-type': 'application/x-ndjson' }, 2);
  await check(Buffer.from(encode([{ a: 1 }, { a: 2 }])), { 'content-type': 'application/msgpack' }, 2);
  await check(`json=${encodeURIComponent(json)}`, { 'content-type': 'application/x-www-form-urlencoded' }, 2);
  await check(json, { 'content-type': 'text/plain' }, 2);
  await check(gzipSync(json), { ...JSON_BODY, 'content-encoding': 'gzip' }, 2);
  await check(
    Buffer.concat([gzipSync('[{"a":1},'), gzipSync('{"a":2}]')]),
    { ...JSON_BODY, 'content-encoding': 'x-gzip' },
    2,
  );
  await check(deflateSync(json), { ...JSON_BODY, 'content-encoding': 'deflate' }, 2);
  await check(deflateRawSync(json), { ...JSON_BODY, 'content-encoding': 'deflate' }, 2);
  await check(zstdCompressSync(json), { ...JSON_BODY, 'content-encoding': 'zstd' }, 2);
  await check(json, { ...JSON_BODY, 'content-encoding': 'identity' }, 2);
  const padded = `${' '.repeat(BODY_BYTES_MAX - json.length)}${json}`;
  await check(padded, JSON_BODY, 2);
  await check(gzipSync(padded), { ...JSON_BODY, 'content-encoding': 'gzip' }, 2);
});

test('curl without a content type, a body of chunks, a path of segments', async () => {
  await using fixture = await Fixture.start();
  const client = await fixture.raw();
  client.write('POST /app/web HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n');
  for (const byte of '{"a":1}') client.write(`1\r\n${byte}\r\n`);
  await client.write('0\r\n\r\n').until(/"accepted":1/);
  assert.equal(fixture.intake.chunks[0]?.tag, 'app.web');
  client.socket.destroy();
});

test('an Idempotency-Key names the chunk, and the entries are the same each time', async () => {
  await using fixture = await Fixture.start();
  for (let i = 0; i < 2; i += 1) await fixture.post('/a', '{"a":1}', { ...JSON_BODY, 'idempotency-key': 'k\u00e9y' });
  const [first, second] = fixture.intake.chunks;
  assert(first && second);
  assert.deepEqual(first.chunkId, Buffer.from('k\u00e9y', 'latin1'));
  assert.deepEqual(first, second);
  assert.equal((await fixture.post('/a', '{}', { ...JSON_BODY, 'idempotency-key': 'x'.repeat(256) })).status, 400);
});

test("events in the URL, as fluentd's in_http takes them, and reports of browsers", async () => {
  await using fixture = await Fixture.start();
  const check = async (path: string, body: string, headers: Record<string, string>, expected: unknown[]) => {
    fixture.intake.chunks.length = 0;
    const answer = await fixture.post(path, body, headers);
    assert.equal(answer.status, 200, answer.body);
    assert.deepEqual(records(fixture), expected);
  };
  await check('/a?json=%7B%22a%22%3A1%7D&time=5', '', {}, [{ a: 1 }]);
  assert.equal(Buffer.from(fixture.intake.chunks[0]?.entries.subarray(3, 7) ?? []).readUInt32BE(), 5);
  await check('/a?ndjson=%7B%22a%22%3A1%7D%0A%7B%22a%22%3A2%7D', '', {}, [{ a: 1 }, { a: 2 }]);
  await check('/a?json=%7B%22a%22%3A1%7D', '{"b":1}', JSON_BODY, [{ b: 1 }]);
  await check('/csp', '{"csp-report":{"a":1}}', { 'content-type': 'application/csp-report' }, [
    { 'csp-report': { a: 1 } },
  ]);
  await check('/csp', '[{"a":1}]', { 'content-type': 'application/reports+json' }, [{ a: 1 }]);
  assert.equal((await fixture.post('/a?json=%7B', '', {})).status, 400);
  assert.equal((await fixture.post('/a?other=1', '', {})).status, 400);
});

test('the time of events: parameter, record, else none, for the indexer to find', async () => {
  await using fixture = await Fixture.start();
  const time = async (path: string, body: string) => {
    assert.equal((await fixture.post(path, body)).status, 200);
    return Buffer.from(fixture.intake.chunks.at(-1)?.entries.subarray(1, 11) ?? []).toString('hex');
  };
  assert.equal(await time('/a', '{}'), 'd700 00000000 00000000'.replaceAll(' ', ''));
  assert.equal(await time('/a', '{"time":1}'), 'd700 00000001 00000000'.replaceAll(' ', ''));
  assert.equal(await time('/a?time=2.5', '{"time":1}'), 'd700 00000002 1dcd6500'.replaceAll(' ', ''));
  assert.equal(await time('/a?time=0', '{}'), 'd700 00000000 00000000'.replaceAll(' ', ''));
  assert.equal((await fixture.post('/a?time=x', '{}')).status, 400);
});
