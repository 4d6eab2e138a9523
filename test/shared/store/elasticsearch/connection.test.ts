// What can go wrong between us and Elasticsearch, against a server that does it on purpose.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { it } from 'node:test';
import { inspect } from 'node:util';
import { errors } from '@elastic/elasticsearch';
import { SluiceError } from '#shared/errors.ts';
import { Connection } from '#shared/store/elasticsearch/connection.ts';

interface Peer extends AsyncDisposable {
  readonly connection: Connection;
  readonly url: string;
}

async function peer(
  listener: RequestListener,
  credentials: { apiKey?: string; username?: string; password?: string } = {},
): Promise<Peer> {
  const server = createServer((request, response) => {
    response.setHeader('x-elastic-product', 'Elasticsearch');
    response.setHeader('content-type', 'application/json');
    listener(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const connection = new Connection({ urls: [url], connections: 2, timeoutMsMax: 60_000, ...credentials });
  return {
    connection,
    url,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await connection[Symbol.asyncDispose]();
    },
  };
}

const get = { method: 'GET', path: '/', timeoutMs: 30_000 } as const;

it('returns every whole answer, whatever its status', async () => {
  for (const status of [200, 400, 404, 413, 429, 503]) {
    await using server = await peer((_, response) => response.writeHead(status).end(`{"status":${status}}`));
    assert.deepEqual(await server.connection.request(get), { status, text: `{"status":${status}}` });
  }
});

it('sends a body as it is', async () => {
  const body = Buffer.from([0x7b, 0x00, 0xff, 0x0a, 0x0a]);
  await using server = await peer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () =>
      response.end(
        `${request.method} ${request.url} ${request.headers['content-type']} ${Buffer.concat(pieces).toString('hex')}`,
      ),
    );
  });
  const { text } = await server.connection.request({
    method: 'POST',
    path: '/_bulk?a=b,c.*.d',
    body,
    contentType: 'application/x-ndjson',
    timeoutMs: 30_000,
  });
  assert.equal(text, 'POST /_bulk?a=b,c.*.d application/x-ndjson 7b00ff0a0a');
});

it('tells who it is', async () => {
  const check = async (credentials: Parameters<typeof peer>[1], expected: string) => {
    await using server = await peer(
      (request, response) => response.end(request.headers.authorization ?? ''),
      credentials,
    );
    assert.equal((await server.connection.request(get)).text, expected);
  };
  await check({}, '');
  await check({ apiKey: 'abc' }, 'ApiKey abc');
  await check({ username: 'u', password: 'p' }, `Basic ${Buffer.from('u:p').toString('base64')}`);
});

it('rejects by the deadline, before the answer and in the middle of it', async () => {
  await using silent = await peer(() => undefined);
  await assert.rejects(silent.connection.request({ ...get, timeoutMs: 50 }), { code: 'store_timeout' });
  await using slow = await peer((_, response) => response.write('{"errors":'));
  await assert.rejects(slow.connection.request({ ...get, timeoutMs: 50 }), { code: 'store_timeout' });
});

it('rejects with the reason of its signal', async () => {
  await using silent = await peer(() => undefined);
  const controller = new AbortController();
  const request = silent.connection.request({ ...get, signal: controller.signal });
  const reason = new Error('stop');
  controller.abort(reason);
  await assert.rejects(request, reason);
});

it('rejects where the answer is cut off, and may then be asked again', async () => {
  let times = 0;
  await using server = await peer((_, response) => {
    if (++times > 1) return response.end('{}');
    response.writeHead(200, { 'content-length': '100' });
    response.write('{"errors":false');
    return setImmediate(() => response.destroy());
  });
  await assert.rejects(server.connection.request(get), { code: 'store_timeout' });
  assert.equal((await server.connection.request(get)).text, '{}');
});

it('rejects where nobody listens, or hangs up: then what was sent may be done', async () => {
  const server = await peer((request) => request.destroy());
  await assert.rejects(server.connection.request(get), { code: 'store_timeout' });
  await server[Symbol.asyncDispose]();
  await using connection = new Connection({ urls: [server.url], connections: 1, timeoutMsMax: 1000 });
  await assert.rejects(connection.request({ ...get, timeoutMs: 10_000 }), { code: 'store_unavailable' });
});

it('has neither a copy of the body in its error, nor who it is', async () => {
  await using server = await peer((request) => request.destroy(), { apiKey: 'c2VjcmV0' });
  const body = Buffer.alloc(1 << 20, 'x');
  const error = await server.connection.request({ ...get, method: 'POST', body }).catch((thrown: unknown) => thrown);
  assert(error instanceof SluiceError && error.cause instanceof errors.ConnectionError);
  const { params } = error.cause.meta?.meta.request ?? {};
  assert(params?.body === body, 'it is the body itself, and not an object with a property for each byte');
  assert(!inspect(error, { depth: 20, showHidden: true }).includes('c2VjcmV0'));
});

it('does not talk to other products', async () => {
  await using server = await peer((_, response) => {
    response.removeHeader('x-elastic-product');
    response.end('{}');
  });
  await assert.rejects(server.connection.request(get), { code: 'store_refused' });
});

it('refuses a wrong address, or certificates that cannot be read', () => {
  const check = (urls: string[], caFile?: string) =>
    assert.throws(() => new Connection({ urls, caFile, connections: 1, timeoutMsMax: 1000 }), {
      code: 'config_invalid',
    });
  check(['not a url']);
  check(['http://127.0.0.1:9200'], '/no/such/file');
});
