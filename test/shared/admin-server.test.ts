import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAdminServer } from '#shared/admin-server.ts';

async function get(url: string): Promise<{ status: number; type: string; text: string }> {
  const response = await fetch(url);
  return { status: response.status, type: response.headers.get('content-type') ?? '', text: await response.text() };
}

test('metrics, liveness, readiness, and an index of them', async () => {
  let reasons: string[] = [];
  const admin = await startAdminServer({
    listen: '127.0.0.1:0',
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
    metrics: async () => ({ contentType: text, body: '' }),
    unreadyReasons: () => [],
  });
  await assert.rejects(second, /Cannot listen on 127\.0\.0\.1:\d+: the address is in use/);
  // Idle connections of the requests above must not hold it open.
  await admin.close();
  await assert.rejects(fetch(`${at}/livez`));
});
