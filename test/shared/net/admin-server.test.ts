import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { startAdminServer } from '#shared/net/admin-server.ts';
import { REQUESTS_IN_HAND_MAX } from '#shared/net/bounded-requests.ts';
import { SluiceError } from '#shared/errors.ts';
import { openDoor } from '#test/forwarder/admit/open-door.ts';

/** Whoever comes may do anything. */
const OPEN = {
  door: openDoor(),
  access: { admit: async () => ({ who: 'anyone', mayAct: true }), whoIs: () => 'anyone' },
  tls: null,
  telemetry: { authFailed() {}, connectionEnded() {}, acted() {} },
} as const;

async function get(url: string): Promise<{ status: number; type: string; text: string }> {
  const response = await fetch(url);
  return { status: response.status, type: response.headers.get('content-type') ?? '', text: await response.text() };
}

test('metrics, liveness, readiness, and an index of them', async () => {
  let reasons: string[] = [];
  const admin = await startAdminServer({
    listen: '127.0.0.1:0',
    ...OPEN,
    metrics: async () => ({ contentType: 'text/plain; version=0.0.4; charset=utf-8', body: 'sluice_x 1\n' }),
    unreadyReasons: () => reasons,
  });
  const at = `http://${admin.address}`;
  const text = 'text/plain; charset=utf-8';
  assert.deepEqual(await get(`${at}/livez`), { status: 200, type: text, text: 'ok\n' });
  assert.deepEqual(await get(`${at}/readyz`), { status: 200, type: text, text: 'ok\n' });
  reasons = ['the queue is away', 'the store is full'];
  assert.deepEqual(await get(`${at}/readyz`), {
    status: 503,
    type: text,
    text: 'the queue is away\nthe store is full\n',
  });
  assert.deepEqual(await get(`${at}/livez`), { status: 200, type: text, text: 'ok\n' });
  const metrics = { status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', text: 'sluice_x 1\n' };
  assert.deepEqual(await get(`${at}/metrics`), metrics);
  const index = await get(`${at}/`);
  assert.equal(index.status, 200);
  for (const path of ['/metrics', '/livez', '/readyz']) assert(index.text.includes(path));
  assert.equal((await get(`${at}/nothing`)).status, 404);
  assert.equal((await fetch(`${at}/metrics`, { method: 'HEAD' })).status, 200);

  const second = startAdminServer({
    listen: admin.address,
    ...OPEN,
    metrics: async () => ({ contentType: text, body: '' }),
    unreadyReasons: () => [],
  });
  await assert.rejects(second, /Cannot listen on 127\.0\.0\.1:\d+: the address is in use/);
  // Idle connections of the requests above must not hold it open.
  await admin.close();
  await assert.rejects(fetch(`${at}/livez`));
});

test('actions: for this machine, in JSON, told line by line, ended by who hangs up', async () => {
  const text = 'text/plain; charset=utf-8';
  const ended = Promise.withResolvers<void>();
  const admin = await startAdminServer({
    listen: '127.0.0.1:0',
    ...OPEN,
    metrics: async () => ({ contentType: text, body: '' }),
    unreadyReasons: () => [],
    actions: [
      {
        path: '/do',
        about: 'POST: does it',
        async *run(body, signal) {
          if (body !== null) throw new SluiceError('request_malformed', 'Cannot do that: it is not null');
          yield 'one\n';
          await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
          ended.resolve();
          yield 'two\n';
        },
      },
    ],
  });
  const at = `http://${admin.address}`;
  assert.match((await get(at)).text, /^\/do {2}POST: does it$/m);
  const post = (body: string, type: string): Promise<Response> =>
    fetch(`${at}/do`, { method: 'POST', headers: { 'content-type': type }, body });
  assert.equal((await post('null', 'text/plain')).status, 415);
  assert.equal((await post('null', 'application/x-www-form-urlencoded')).status, 415);
  const refused = await post('{}', 'application/json');
  assert.deepEqual([refused.status, await refused.text()], [400, 'Cannot do that: it is not null\n']);
  const answer = await post('null', 'application/json');
  assert.equal(answer.status, 200);
  const reader = answer.body?.getReader();
  assert.equal(Buffer.from((await reader?.read())?.value ?? []).toString(), 'one\n');
  await reader?.cancel();
  await ended.promise;
  await admin.close();
});

test('whoever is not admitted is answered nothing but whether the process is well, whatever the path', async () => {
  const acted: string[] = [];
  const admin = await startAdminServer({
    ...OPEN,
    listen: '127.0.0.1:0',
    access: { admit: async () => ({ refused: 401, why: 'Cannot answer: nobody knows you' }), whoIs: () => null },
    metrics: async () => ({ contentType: 'text/plain', body: 'sluice_x 1\n' }),
    unreadyReasons: () => ['broker-7.internal is away'],
    actions: [
      {
        path: '/do',
        about: 'POST: does it',
        async *run() {
          acted.push('done');
          yield 'done\n';
        },
      },
    ],
  });
  const at = `http://${admin.address}`;
  for (const [path, method] of [
    ['/', 'GET'],
    ['/metrics', 'GET'],
    ['/metrics', 'HEAD'],
    ['/metrics/', 'GET'],
    ['//livez', 'GET'],
    ['/livez', 'POST'],
    ['/livez/../metrics', 'GET'],
    ['/%6Detrics', 'GET'],
    ['/nothing', 'GET'],
    ['/do', 'POST'],
    ['/do', 'OPTIONS'],
  ] as const) {
    const body = method === 'POST' ? { body: '{}', headers: { 'content-type': 'application/json' } } : {};
    const answer = await fetch(at + path, { method, ...body });
    assert.equal(answer.status, 401, `${method} ${path}`);
    assert.match(answer.headers.get('www-authenticate') ?? '', /Bearer/);
    assert.doesNotMatch(await answer.text(), /sluice_x|broker/);
  }
  assert.deepEqual(acted, []);
  assert.equal((await get(`${at}/livez`)).text, 'ok\n');
  const ready = await get(`${at}/readyz`);
  assert.equal(ready.status, 503);
  assert.doesNotMatch(ready.text, /broker/);
  await admin.close();
});

test('an action is told with who asked for it, and what became of it', async () => {
  const told: string[] = [];
  const actionOf = (name: string, run: () => AsyncGenerator<string, void, void>) => ({
    path: `/${name}`,
    about: '',
    run,
  });
  const admin = await startAdminServer({
    ...OPEN,
    listen: '127.0.0.1:0',
    access: { admit: async ({ url }) => ({ who: 'ops', mayAct: url !== '/far' }), whoIs: () => 'ops' },
    telemetry: {
      authFailed: (_input, reason, peer) => told.push(`${reason} ${peer}`),
      connectionEnded: (_input, reason, peer) => told.push(`${reason} ${peer}`),
      acted: ({ action, who, peer, outcome }) => told.push(`${action} ${who} ${peer} ${outcome}`),
    },
    metrics: async () => ({ contentType: 'text/plain', body: '' }),
    unreadyReasons: () => [],
    actions: [
      actionOf('well', async function* () {
        yield 'one\n';
        yield 'two\n';
      }),
      actionOf('ill', async function* () {
        yield 'one\n';
        throw new Error('a fault');
      }),
      // oxlint-disable-next-line require-yield -- it cannot be done
      actionOf('never', async function* () {
        throw new SluiceError('request_malformed', 'Cannot do that');
      }),
      actionOf('far', async function* () {
        yield 'one\n';
      }),
    ],
  });
  const ask = (path: string) =>
    fetch(`http://${admin.address}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
  assert.equal(await (await ask('/well')).text(), 'one\ntwo\n');
  await assert.rejects((await ask('/ill')).text());
  assert.equal((await ask('/never')).status, 400);
  assert.equal((await ask('/far')).status, 403);
  await admin.close();
  assert.deepEqual(told, [
    '/well ops 127.0.0.1 started',
    '/well ops 127.0.0.1 done',
    '/ill ops 127.0.0.1 started',
    '/ill ops 127.0.0.1 failed',
    '/never ops 127.0.0.1 failed',
    'other_machine 127.0.0.1',
  ]);
});

test('more requests than anybody pipelines end their connection', async () => {
  const told: string[][] = [];
  const admin = await startAdminServer({
    listen: '127.0.0.1:0',
    ...OPEN,
    telemetry: { ...OPEN.telemetry, connectionEnded: (...ended) => told.push(ended) },
    metrics: () => new Promise(() => {}),
    unreadyReasons: () => [],
  });
  const { hostname, port } = new URL(`http://${admin.address}`);
  const client = connect(Number(port), hostname);
  client.on('error', () => {});
  client.resume().write('GET /metrics HTTP/1.1\r\nHost:\r\n\r\n'.repeat(REQUESTS_IN_HAND_MAX + 1));
  await once(client, 'close');
  assert.deepEqual(told, [['admin', 'pipelined', '127.0.0.1']]);
  await admin.close();
});

test('requests whose bodies do not come leave the page to others', async () => {
  const admin = await startAdminServer({
    listen: '127.0.0.1:0',
    ...OPEN,
    metrics: async () => ({ contentType: 'text/plain', body: '' }),
    unreadyReasons: () => [],
    actions: [{ path: '/act', about: 'does nothing', run: async function* () {} }],
  });
  const { hostname, port } = new URL(`http://${admin.address}`);
  const slow = Array.from({ length: 200 }, (_, i) => {
    const socket = connect(Number(port), hostname);
    socket.on('error', () => {}).resume();
    const type = 'Content-Type: application/json';
    socket.write(
      `POST /${i % 2 === 0 ? 'act' : 'nothing'} HTTP/1.1\r\nHost:\r\n${type}\r\nContent-Length: 500\r\n\r\n{`,
    );
    return socket;
  });
  const open = (): number => slow.filter(({ closed }) => !closed).length;
  while (open() > 48) await once(slow.find(({ closed }) => !closed) ?? assert.fail(), 'close');
  assert.equal((await get(`http://${admin.address}/livez`)).status, 200);
  await admin.close();
});

test('a request that is being answered is not closed, though it has a body and others keep coming', async () => {
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const admin = await startAdminServer({
    listen: '127.0.0.1:0',
    ...OPEN,
    metrics: async () => {
      begun.resolve();
      await go.promise;
      return { contentType: 'text/plain', body: 'all of it' };
    },
    unreadyReasons: () => [],
  });
  const { hostname, port } = new URL(`http://${admin.address}`);
  const asking = connect(Number(port), hostname);
  asking.write('GET /metrics HTTP/1.1\r\nHost:\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc');
  await begun.promise;
  const silent = Array.from({ length: 100 }, () =>
    connect(Number(port), hostname)
      .on('error', () => {})
      .resume(),
  );
  while (silent.filter(({ closed }) => !closed).length > 48) {
    await once(silent.find(({ closed }) => !closed) ?? assert.fail(), 'close');
  }
  go.resolve();
  let text = '';
  for await (const piece of asking) text += String(piece);
  assert.match(text, /^HTTP\/1.1 200 [^]*all of it$/);
  await admin.close();
});
