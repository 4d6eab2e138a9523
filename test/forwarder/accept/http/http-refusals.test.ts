// What an HTTP sender is told when its events are not taken, and what becomes of its connection.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { SluiceError } from '#shared/errors.ts';
import { BODY_BYTES_MAX, Fixture, JSON_BODY, request } from './http-fixture.ts';

test('each refusal has its status, its code, its reason, and is counted', async () => {
  await using fixture = await Fixture.start();
  const check = async (
    [path, body, headers]: [string, string | Buffer, Record<string, string>?],
    status: number,
    code: string,
    message: RegExp,
  ) => {
    fixture.rejected.length = 0;
    const answer = await fixture.post(path, body, headers);
    assert.equal(answer.status, status, answer.body);
    const { error, message: told } = JSON.parse(answer.body);
    assert.equal(error, code);
    assert.match(told, /^Cannot /);
    assert.match(told, message);
    assert.equal(answer.retryAfter !== null, status === 429 || status === 503);
    assert.deepEqual(fixture.rejected, [[code, told]]);
  };
  const zip = (body: Buffer, encoding: string) => ({ body, headers: { ...JSON_BODY, 'content-encoding': encoding } });
  const bomb = zip(gzipSync(Buffer.alloc(64 * BODY_BYTES_MAX, ' ')), 'gzip');
  const zstdBomb = zip(zstdCompressSync(Buffer.alloc(64 * BODY_BYTES_MAX, ' ')), 'zstd');
  const cut = zip(gzipSync('{"a":1}').subarray(0, 20), 'gzip');
  await check(['/a', '{"a":}'], 400, 'body_malformed', /a value is missing \(byte 5\)/);
  await check(
    ['/a', '{}\n{"a" 1}', { 'content-type': 'application/x-ndjson' }],
    400,
    'body_malformed',
    /\(line 2, byte 8\)/,
  );
  await check(
    ['/a', Buffer.from('c1', 'hex'), { 'content-type': 'application/msgpack' }],
    400,
    'body_malformed',
    /\(byte 0\)/,
  );
  await check(['/a', 'hello', { 'content-type': 'text/plain' }], 400, 'body_malformed', /no JSON/);
  await check(['/a', ''], 400, 'body_malformed', /it is empty/);
  await check(['/', '{}'], 400, 'tag_invalid', /has to name a tag/);
  await check(['/%ff', '{}'], 400, 'tag_invalid', /percent-encoded|UTF-8/);
  await check(['/_search', '{}'], 404, 'path_unknown', /begin with "_"/);
  await check(['/v1/traces', '{}'], 404, 'path_unknown', /begin with "v1\/"/);
  await check(['/a', '{}', { 'content-type': 'application/xml' }], 415, 'content_type_unknown', /Content-Type/);
  await check(['/a', '{}', { 'content-type': ';;' }], 415, 'content_type_unknown', /./);
  await check(['/a', '{}', { ...JSON_BODY, 'content-encoding': 'br' }], 415, 'encoding_unknown', /Content-Encoding/);
  await check(['/a', '{}', { ...JSON_BODY, 'content-encoding': 'gzip, gzip' }], 415, 'encoding_unknown', /Encoding/);
  await check(['/a', Buffer.alloc(BODY_BYTES_MAX + 1, ' ')], 413, 'body_too_large', /more than 262144 bytes/);
  await check(['/a', bomb.body, bomb.headers], 413, 'decompressed_too_large', /more than 262144 bytes/);
  await check(['/a', zstdBomb.body, zstdBomb.headers], 413, 'decompressed_too_large', /more than 262144 bytes/);
  await check(['/a', cut.body, cut.headers], 400, 'body_malformed', /gzip/);
  await check(['/a', `[${'{},'.repeat(30_000)}{}]`], 413, 'body_too_large', /send fewer at once/);
  fixture.intake.unreadyReason = 'no broker answers';
  await check(['/a', '{}'], 503, 'queue_unavailable', /no broker answers/);
  assert.equal(fixture.intake.chunks.length, 0);
});

test('what intake refuses is answered by its code, and counted there', async () => {
  await using fixture = await Fixture.start();
  const check = async (refusal: Error, status: number, code: string, retryAfter: boolean) => {
    fixture.intake.refusal = refusal;
    const answer = await fixture.post('/a', '{}');
    assert.equal(answer.status, status);
    assert.equal(JSON.parse(answer.body).error, code);
    assert.equal(answer.retryAfter !== null, retryAfter);
  };
  await check(new SluiceError('queue_unavailable', 'Cannot append: x'), 503, 'queue_unavailable', true);
  await check(new SluiceError('queue_full', 'Cannot append: x'), 503, 'queue_full', true);
  await check(new SluiceError('entry_too_large', 'Cannot take: x'), 413, 'entry_too_large', false);
  await check(new SluiceError('too_many_events', 'Cannot take: x'), 413, 'too_many_events', false);
  await check(new SluiceError('shutting_down', 'Cannot take: x'), 503, 'shutting_down', true);
  await check(new TypeError('secret'), 500, 'internal', false);
  assert.deepEqual(fixture.rejected, []);
});

test('a refused body is passed over, and the connection goes on', async () => {
  await using fixture = await Fixture.start();
  const client = await fixture.raw();
  client.write(
    request('/a', 'x'.repeat(BODY_BYTES_MAX + 1)) + request('/_x', 'y'.repeat(100_000)) + request('/a', '{"a":1}'),
  );
  const text = await client.until(/"accepted":1/);
  assert.deepEqual(text.match(/HTTP\/1.1 \d+/g), ['HTTP/1.1 413', 'HTTP/1.1 404', 'HTTP/1.1 200']);
  client.socket.destroy();
});

test('a body that grows past the limit in chunks is refused at that chunk', async () => {
  await using fixture = await Fixture.start();
  const client = await fixture.raw();
  client.write('POST /a HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n');
  const piece = 'x'.repeat(65_536);
  for (let i = 0; i < 5; i += 1) client.write(`10000\r\n${piece}\r\n`);
  await client.until(/413 Payload Too Large/);
  client.socket.destroy();
});

test('a body in chunks without an end is passed over only so far', async () => {
  await using fixture = await Fixture.start();
  const client = await fixture.raw();
  client.write('POST /a HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n');
  const piece = Buffer.concat([Buffer.from('400000\r\n'), Buffer.alloc(0x40_0000, 'x'), Buffer.from('\r\n')]);
  let pieces = 0;
  const { socket } = client;
  for (; !socket.destroyed && pieces < 200; pieces += 1) {
    if (!socket.write(piece)) await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => {});
  }
  assert.match(client.text, /413 Payload Too Large/);
  assert(pieces < 100, `${pieces} pieces of 4 MiB`);
});

test('garbage and smuggling forms end the connection, and nothing is taken', async () => {
  await using fixture = await Fixture.start();
  const check = async (text: string, answer: RegExp) => {
    const client = await fixture.raw();
    assert.match(await client.write(text).ended(), answer, JSON.stringify(text.slice(0, 200)));
  };
  const head = 'POST /a HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
  const bad = /^HTTP\/1.1 400 Bad Request[^]*request_malformed/;
  await check('\x16\x03\x01\x02\x00\x01\x00\x01\xfc', bad);
  await check('hello\r\n\r\n', bad);
  await check('POST /a HTTP/9.9\r\n\r\n', bad);
  await check(`${head}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, bad);
  await check(`${head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`, bad);
  await check(`${head}Content-Length: -1\r\n\r\n{}`, bad);
  await check(`${head}Content-Length: 2, 2\r\n\r\n{}`, bad);
  await check(`${head}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`, bad);
  await check(`${head}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`, bad);
  await check(`${head}Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n`, bad);
  await check(`${head}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, bad);
  await check(`${head}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n`, bad);
  await check(`${head}Content-Length: +2\r\n\r\n{}`, bad);
  await check(`${head}Content-Length: 0x2\r\n\r\n{}`, bad);
  await check(`${head}X: a\rContent-Length: 2\r\n\r\n{}`, bad);
  await check(`${head}X: a\0b\r\n\r\n`, bad);
  await check(`${head}Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n`, bad);
  await check(`${head}Transfer-Encoding: chunked\r\n\r\n-1\r\n{}\r\n0\r\n\r\n`, bad);
  await check(`${head}Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n{}`, bad);
  await check(`${head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`, bad);
  await check(`${head}X: a\nContent-Length: 2\r\n\r\n{}`, bad);
  await check(`${head} folded: x\r\n\r\n`, bad);
  await check(`${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`, bad);
  await check('POST /a HTTP/1.1\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}', /^HTTP\/1.1 400 /);
  await check(`${head}X: ${'x'.repeat(20_000)}\r\n\r\n`, /^HTTP\/1.1 431 /);
  assert.equal(fixture.intake.chunks.length, 0);
  assert(fixture.rejected.length >= 14);
});

test('garbage behind a request does not take its answer', async () => {
  await using fixture = await Fixture.start();
  fixture.intake.hold();
  const client = (await fixture.raw()).write(`${request('/a', '{"a":1}')}garbage\r\n\r\n`);
  await fixture.intake.arrived(1);
  assert.equal((await fetch(fixture.url)).status, 200);
  assert.equal(client.text, '');
  fixture.intake.release();
  assert.match(await client.ended(), /^HTTP\/1.1 200 OK[^]*"accepted":1}$/);
});

test('slow headers and slow bodies are answered 408, in time', async () => {
  await using fixture = await Fixture.start({ headersTimeoutMs: 50, requestTimeoutMs: 100 });
  const headers = (await fixture.raw()).write('POST /a HTTP/1.1\r\nHost:');
  const body = (await fixture.raw()).write(request('/a', '{"a":1}').slice(0, -1));
  assert.match(await headers.ended(), /^HTTP\/1.1 408 /);
  // It is passed over for as long again, and then closed.
  assert.match(await body.ended(), /^HTTP\/1.1 408 [^]*request_timeout/);
  assert.equal(fixture.intake.chunks.length, 0);
});

for (const [what, sent, status] of [
  ['a path that cannot be decoded', 'GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n', 400],
  ['an expectation', 'GET / HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\n\r\n', 417],
] as const) {
  test(`${what}, which is answered before the rate of its address is asked, ends its connection`, async () => {
    await using fixture = await Fixture.start();
    const client = await fixture.raw();
    client.write(sent.repeat(3));
    const answers = (await client.ended()).match(/HTTP\/1.1 \d+/g);
    assert.deepEqual(answers, [`HTTP/1.1 ${status}`]);
  });
}

test('behind garbage no more is read, though requests before it wait for their answers', async () => {
  await using fixture = await Fixture.start();
  fixture.intake.hold();
  const client = await fixture.raw();
  client.write(`${request('/a', '{"a":1}')}GARBAGE\r\n\r\n`);
  await fixture.intake.arrived(1);
  const { socket } = client;
  const piece = 'x'.repeat(0x10_0000);
  // The system takes some megabytes, and then no more.
  while (!socket.destroyed && socket.writableLength < 8 * piece.length && socket.bytesWritten < 64 * piece.length) {
    socket.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert(socket.bytesWritten - socket.writableLength < 32 * piece.length, `${socket.bytesWritten} bytes`);
  fixture.intake.release();
  await client.until(/"accepted":1/);
  socket.destroy();
});
