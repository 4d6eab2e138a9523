// The HTTP server: methods, answers in order, 100 Continue, and a stop that loses no answer.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startHttpServer } from '#forwarder/accept/http/http-server.ts';
import { REQUESTS_IN_HAND_MAX } from '#shared/net/bounded-requests.ts';
import { SluiceError } from '#shared/errors.ts';
import { BODY_BYTES_MAX, Fixture, records, request, openHttp } from './http-fixture.ts';

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

test('100 Continue is said when the headers are accepted, and not before', async () => {
  await using fixture = await Fixture.start();
  const headers = (path: string, length: number) =>
    `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n` +
    `Expect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`;
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
