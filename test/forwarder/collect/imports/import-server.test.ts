// The socket of imports: who connects and says nothing, or too much, keeps nobody from ending.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { importSocket } from '#forwarder/collect/imports/import-protocol.ts';
import { ImportServer } from '#forwarder/collect/imports/import-server.ts';
import { systemClock } from '#shared/clock.ts';

test('a silent client delays no end, and only its user may ask', { timeout: 20_000 }, async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'sluice-imports-'));
  try {
    const unasked = (): Promise<never> => Promise.reject(new Error('nothing was asked for'));
    const server = await ImportServer.open({ dataDir, clock: systemClock, import: unasked });
    assert.equal(statSync(importSocket(dataDir)).mode & 0o777, 0o600);
    assert.equal(statSync(join(dataDir, 'collect')).mode & 0o777, 0o700);
    const silent = connect(importSocket(dataDir));
    await once(silent, 'connect');
    silent.write('{"paths": [');
    const half = connect(importSocket(dataDir));
    half.resume();
    half.end('{"paths": 1}\n');
    await once(half, 'close');
    await server.close();
    silent.destroy();
  } finally {
    rmSync(dataDir, { recursive: true });
  }
});
