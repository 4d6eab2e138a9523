// The end of a forwarder: no input waits for another before it takes no more.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { startForwarder } from '#forwarder/main.ts';
import { systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import { createLog } from '#shared/log.ts';
import { Metrics } from '#shared/metrics.ts';
import { RecordingQueue } from './intake/recording-queue.ts';

const LISTEN = '127.0.0.1:0';

test('while what GELF has sent is taken, nobody else may come', async () => {
  const inputs = { SLUICE_FORWARD_LISTEN: LISTEN, SLUICE_HTTP_LISTEN: LISTEN, SLUICE_GELF_LISTEN: LISTEN };
  const queue = new RecordingQueue();
  const forwarder = await startForwarder({
    config: loadConfig({ env: { ...inputs, SLUICE_DATA_DIR: '/nowhere' }, readFile: () => '' }),
    queue,
    metrics: new Metrics({ version: '0', command: 'test' }),
    log: createLog('error', systemClock),
    clock: systemClock,
  });
  const { forward, http, gelf } = forwarder.addresses;
  const connected = async (address = ''): Promise<ReturnType<typeof connect>> => {
    const socket = connect({ port: Number(address.split(':').at(-1)), host: '127.0.0.1', allowHalfOpen: true });
    await once(socket, 'connect');
    return socket;
  };
  const sender = await connected(gelf[0]);
  sender.write('{"short_message":"first"}\0{"short_message":"begun');
  while (queue.appends.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const ended = forwarder[Symbol.asyncDispose]();
  for (const address of [http, forward, gelf[0]]) await assert.rejects(connected(address), /ECONNREFUSED/);
  sender.end(' and ended"}\0');
  await ended;
  const stored = queue.appends.flatMap(({ records }) => records.map(({ value }) => value));
  assert.match(Buffer.concat(stored).toString(), /begun and ended/);
});
