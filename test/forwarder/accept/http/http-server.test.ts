import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { encode } from '@msgpack/msgpack';
import { startHttpServer } from '#forwarder/accept/http/http-server.ts';
import type { Clock } from '#shared/clock.ts';
import { REQUESTS_IN_HAND_MAX } from '#shared/net/bounded-requests.ts';
import { systemClock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import { BODY_BYTES_MAX, Fixture, JSON_BODY, records, request, openHttp } from './http-fixture.ts';

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

test('methods and paths beside the input', async () => {
  await using fixture = await Fixture.start();
  const check = async (method: string, path: string, status: number) => {
    const response = await fetch(fixture.url + path, { method });
    assert.equal(response.status, status, `${method} ${path}`);
    return { text: await response.text(), allow: response.headers.get('allow') };
  };
  assert.match((await check('GET', '/', 200)).text, /POST \/<tag>/);
  assert.equal((await check('HEAD', '/', 200)).text, '');
  assert.match((await check('GET', '/app.web', 404)).text, /path_unknown/);
  assert.equal((await check('OPTIONS', '/app.web', 204)).allow, 'GET, HEAD, POST, OPTIONS');
  assert.equal((await check('PUT', '/app.web', 405)).allow, 'GET, HEAD, POST, OPTIONS');
  assert.match((await check('DELETE', '/app.web', 405)).text, /method_refused/);
});

test('200 comes only when the events are held', async () => {
  await using fixture = await Fixture.start();
  fixture.intake.hold();
  const client = (await fixture.raw()).write(request('/a', '{"a":1}'));
  await fixture.intake.arrived(1);
  // A request that is answered in between shows that the server had its time.
  assert.equal((await fetch(fixture.url)).status, 200);
  assert.equal(client.text, '');
  fixture.intake.release();
  await client.until(/200 OK[^]*"accepted":1/);
  client.socket.destroy();
});

test('keep-alive and pipelining: answers in the order of the requests', async () => {
  await using fixture = await Fixture.start();
  const client = await fixture.raw();
  client.write(request('/a', '{"a":1}') + request('/a', '{"a":}') + request('/a', '[{"a":2},{"a":3}]'));
  const text = await client.until(/"accepted":2/);
  assert.deepEqual(text.match(/HTTP\/1.1 \d+|"accepted":\d/g), [
    'HTTP/1.1 200',
    '"accepted":1',
    'HTTP/1.1 400',
    'HTTP/1.1 200',
    '"accepted":2',
  ]);
  assert.deepEqual(records(fixture), [{ a: 1 }, { a: 2 }, { a: 3 }]);
  assert.equal(fixture.connections, 1);
  client.socket.destroy();
});

test('more requests than anybody pipelines end their connection, and the others go on', async () => {
  await using fixture = await Fixture.start();
  fixture.intake.hold();
  const client = await fixture.raw();
  client.write(request('/a', '{"a":1}').repeat(REQUESTS_IN_HAND_MAX + 1));
  assert.equal(await client.ended(), '');
  assert.deepEqual(fixture.endings, [['http', 'pipelined', '127.0.0.1']]);
  assert.deepEqual(
    fixture.rejected.filter(([code]) => code === 'internal'),
    [],
  );
  fixture.intake.release();
  assert.equal((await fixture.post('/a', '{"a":1}')).status, 200);
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

test('100 Continue is said when the headers are accepted, and not before', async () => {
  await using fixture = await Fixture.start();
  const headers = (path: string, length: number) =>
    `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`;
  const client = await fixture.raw();
  await client.write(headers('/a', 7)).until(/^HTTP\/1.1 100 Continue\r\n\r\n$/);
  await client.write('{"a":1}').until(/"accepted":1/);
  client.socket.destroy();

  const large = await (await fixture.raw()).write(headers('/a', BODY_BYTES_MAX + 1)).ended();
  assert.match(large, /^HTTP\/1.1 413 [^]*connection: close/);
  const reserved = await (await fixture.raw()).write(headers('/_search', 7)).ended();
  assert.match(reserved, /^HTTP\/1.1 404 /);
  const other = await (await fixture.raw()).write(headers('/a', 7).replace('100-continue', 'miracles')).until(/417/);
  assert.match(other, /^HTTP\/1.1 417 /);
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

/** Other timers are of bodies. */
const ROOM_WAIT_MS = 5000;

test('a full edge makes requests wait, then refuses them', async () => {
  let expire = () => {};
  const clock: Clock = {
    ...systemClock,
    timer: (ms, action) => {
      if (ms === ROOM_WAIT_MS) expire = action;
      return { [Symbol.dispose]() {} };
    },
  };
  await using fixture = await Fixture.start({}, clock);
  fixture.intake.fill();
  const waiting = fixture.post('/a', '{"a":1}');
  assert.equal((await fetch(fixture.url)).status, 200);
  fixture.intake.drain();
  assert.equal((await waiting).status, 200);

  fixture.intake.fill();
  const refused = fixture.post('/a', '{"a":2}');
  assert.equal((await fetch(fixture.url)).status, 200);
  expire();
  const answer = await refused;
  assert.equal(answer.status, 429);
  assert.equal(answer.retryAfter, '2');
  assert.equal(JSON.parse(answer.body).error, 'intake_full');
  assert.equal(fixture.intake.chunks.length, 1);
  fixture.intake.drain();
});

test('bodies together stay within the bound; what is refused gives its bytes back', async () => {
  const expirations: (() => void)[] = [];
  const clock: Clock = {
    ...systemClock,
    timer: (ms, action) => {
      if (ms === ROOM_WAIT_MS) expirations.push(action);
      for (const wake of waiters.splice(0)) wake();
      return { [Symbol.dispose]() {} };
    },
  };
  const waiters: (() => void)[] = [];
  await using fixture = await Fixture.start({}, clock);
  const size = BODY_BYTES_MAX - 1000;
  const body = JSON.stringify({ a: 'x'.repeat(size - 8) });
  // Small bodies have 16 MiB of their own beside two of the largest.
  const count = Math.ceil((16 * 1024 * 1024 + 2 * BODY_BYTES_MAX) / size) + 8;
  const clients = await Promise.all(Array.from({ length: count }, () => fixture.raw()));
  // Each sends all but the last bytes: together more than is held, so at least one is stopped.
  for (const client of clients) client.write(request('/a', body).slice(0, -10));
  while (expirations.length === 0) await new Promise<void>((resolve) => waiters.push(resolve));
  expirations[0]?.();
  await Promise.race(clients.map((client) => client.until(/429 Too Many/)));
  for (const client of clients) client.socket.destroy();
  // One that would find no room if anything of them were still counted.
  assert.equal((await fixture.post('/a', body)).status, 200);
});

test('a sender that goes away in the middle of its body leaves nothing behind', async () => {
  await using fixture = await Fixture.start();
  const client = (await fixture.raw()).write(request('/a', '{"a":1}').slice(0, -3));
  assert.equal((await fetch(fixture.url)).status, 200);
  client.socket.end();
  assert.equal(await client.ended(), '');
  assert.equal((await fixture.post('/a', '{"a":2}')).status, 200);
  assert.deepEqual(
    fixture.rejected.map(([code]) => code),
    ['request_malformed'],
  );
  assert.deepEqual(records(fixture), [{ a: 2 }]);
});

test('a stop answers what is in hand and closes the rest at once', async () => {
  const fixture = await Fixture.start();
  const idle = await fixture.raw();
  await idle.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n').until(/Sluice/);
  const silent = await fixture.raw();
  fixture.intake.hold();
  const busy = (await fixture.raw()).write(request('/a', '{"a":1}'));
  await fixture.intake.arrived(1);
  const closed = fixture.server.close();
  await Promise.all([idle.ended(), silent.ended()]);
  await assert.rejects(fetch(fixture.url));
  busy.write(request('/a', '{"a":2}'));
  fixture.intake.release();
  const text = await busy.ended();
  assert.match(text, /^HTTP\/1.1 200 OK[^]*connection: close[^]*"accepted":1}/);
  await closed;
  assert.deepEqual(records(fixture), [{ a: 1 }]);
  assert.equal(fixture.connections, 0);
});

test('a stop does not wait for ever for a body that does not come', async () => {
  const fixture = await Fixture.start({ closeGraceMs: 20 });
  const stuck = (await fixture.raw()).write(request('/a', '{"a":1}').slice(0, -3));
  assert.equal((await fetch(fixture.url)).status, 200);
  await fixture.server.close();
  await stuck.ended();
});

test('a port in use is told in one line', async () => {
  await using fixture = await Fixture.start();
  const { intake } = fixture;
  const telemetry = {
    connectionOpened() {},
    connectionClosed() {},
    connectionEnded() {},
    authFailed() {},
    chunkRejected() {},
  };
  await assert.rejects(
    startHttpServer(fixture.server.address, { ...openHttp(), intake, telemetry, bodyBytesMax: 1 }),
    (error) => {
      assert(error instanceof SluiceError && error.code === 'listen_failed');
      assert.equal(error.message.startsWith(`Cannot listen on ${fixture.server.address}: the address is in use`), true);
      return true;
    },
  );
});
