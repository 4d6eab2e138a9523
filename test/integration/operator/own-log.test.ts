// The program's own log: JSON lines, or lines for people at a terminal; and never anything of what was sent.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { ForwardClient } from '#test/clients/forward-client.ts';
import { newPlace, SluiceProcess } from '../parts/sluice-process.ts';

const SECRET = 'hunter2-is-the-password';
const program = join(import.meta.dirname, '../../../services/sluice/main.ts');

async function sendRaw(port: number, bytes: Uint8Array): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.resume().end(bytes);
  await once(socket, 'close');
}

test('nothing of a payload, whatever is wrong with it; every line is JSON', async () => {
  await using place = await newPlace();
  await using service = await new SluiceProcess(['run'], place, { SLUICE_LOG_LEVEL: 'debug' }).ready();
  {
    await using client = new ForwardClient(place.forward);
    const record = { message: SECRET, container_name: `/${SECRET}`, nested: { password: SECRET } };
    await client.send('app.log', [{ timeNs: BigInt(Date.now()) * 1_000_000n, record }], 'packed');
  }
  const post = (type: string, body: string, path = 'app.log') =>
    fetch(`http://127.0.0.1:${place.http}/${path}`, { method: 'POST', headers: { 'content-type': type }, body });
  for (const body of [
    `{"message":"${SECRET}"}`,
    `{"message":"${SECRET}"`,
    `{"${SECRET}`,
    `[${SECRET}]`,
    `"${SECRET}"`,
  ]) {
    for (const type of ['application/json', 'application/x-ndjson', 'application/msgpack', `text/${SECRET}`])
      await post(type, body);
  }
  const text = Buffer.from(SECRET);
  const str = Buffer.concat([Buffer.from([0xa0 | text.length]), text]);
  // A frame that is no frame; entries that are none; a record cut short.
  await sendRaw(place.forward, text);
  await sendRaw(place.forward, Buffer.concat([Buffer.from([0x92, 0xa1, 0x74]), str]));
  await sendRaw(place.forward, Buffer.concat([Buffer.from([0x92, 0xa1, 0x74, 0xc4, text.length]), text]));
  await sendRaw(place.forward, Buffer.concat([Buffer.from([0x93, 0xa1, 0x74, 0x00, 0x82]), str, str]));
  await service.until(async () => (await service.metric('events_inflight')) === 0);
  const { stderr } = await service.stop();
  const lines = stderr.split('\n').filter((line) => line !== '');
  assert(
    lines.some((line) => line.includes('"chunk_')),
    'the faults are told',
  );
  for (const line of lines) {
    assert(!line.includes(SECRET) && !line.includes('hunter2'), line);
    const told = JSON.parse(line) as Record<string, unknown>;
    assert.equal(typeof told['event'], 'string');
    assert.match(String(told['time']), /^\d{4}-\d\d-\d\dT/);
  }
});

const noTerminal = spawnSync('script', ['--version']).error ? 'SKIPPED: no `script` to make a terminal' : false;

test('lines for people where they are read as they come', { skip: noTerminal }, async () => {
  await using place = await newPlace();
  const command = `${process.execPath} ${program} run`;
  const child = spawn('script', ['--quiet', '--flush', '--return', '--command', command, '/dev/null'], {
    env: {
      PATH: process.env['PATH'],
      NO_COLOR: '1',
      SLUICE_DATA_DIR: place.dataDir,
      SLUICE_FORWARD_LISTEN: `127.0.0.1:${place.forward}`,
      SLUICE_HTTP_LISTEN: `127.0.0.1:${place.http}`,
      SLUICE_ADMIN_LISTEN: `127.0.0.1:${place.admin}`,
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let page = '';
  const shown = new Promise<void>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      page += text;
      if (page.includes('indexer_started')) resolve();
    });
  });
  try {
    await Promise.race([shown, once(child, 'exit')]);
    assert.match(page, /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: listening \{"input":"forward","address":"127/m);
    assert(!page.includes('"event"'), page);
  } finally {
    // Ctrl-C at that terminal.
    const ended = child.exitCode === null ? once(child, 'exit') : null;
    child.stdin.write('\u0003');
    await ended;
  }
});
