// A large chunk by way of a file, where the worst happens to the real program: it is killed in its midst, and the disk
// is full.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { loadConfig } from '#shared/config/load.ts';
import { openStore } from '#shared/open/open-store.ts';
import { newPlace, type Place, SluiceProcess } from '../parts/sluice-process.ts';

const EVENTS = 40_000;
const SETTINGS = { SLUICE_LOG_LEVEL: 'error', SLUICE_GATHER_RECORD_BYTES: '65536' };

/** About 12 MB, which goes by way of a file. */
function largeFrame(chunk: string): Buffer {
  const entries = Array.from({ length: EVENTS }, (_, n) =>
    encode([1_700_000_000 + n, { log: `${chunk} ${n} ${'lorem ipsum dolor sit amet '.repeat(10)}` }]),
  );
  const body = Buffer.concat(entries);
  const header = Buffer.alloc(5, 0xc6);
  header.writeUInt32BE(body.length, 1);
  return Buffer.concat([Buffer.of(0x93), encode('large'), header, body, encode({ chunk })]);
}

async function opened(place: Place): Promise<Socket> {
  const socket = connect(place.forward, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** The answer, or null where the connection was closed without one. */
function answer(socket: Socket): Promise<Buffer | null> {
  return new Promise((resolve) => {
    socket.once('data', resolve).once('close', () => resolve(null));
  });
}

const ackOf = (chunk: string): Buffer => Buffer.from(encode({ ack: chunk }));

async function stored(place: Place): Promise<number> {
  const config = loadConfig({ env: { SLUICE_DATA_DIR: place.dataDir }, readFile: () => '' });
  await using store = await openStore(config, { readOnly: true });
  let count = 0;
  const page = { order: 'oldest', limit: 5000 } as const;
  let documents = await store.search(page);
  while (documents.length > 0) {
    count += documents.length;
    documents = await store.search({ ...page, after: documents.at(-1)?.sort ?? [] });
  }
  return count;
}

test('killed while a large chunk comes, and while it goes on: its repeat is stored once', async (t) => {
  await using place = await newPlace();
  const frame = largeFrame('killed');
  let partly = 0;
  for (const when of ['it comes', 'it goes on'] as const) {
    await using program = await new SluiceProcess(['run'], place, SETTINGS).ready();
    const before = await program.metric('events_consumed_total');
    const socket = await opened(place);
    const heard = answer(socket);
    if (when === 'it comes') {
      socket.write(frame.subarray(0, frame.length / 2));
      await program.until(async () => (await program.metric('frame_file_bytes')) > frame.length / 4);
    } else {
      socket.write(frame);
      await program.until(async () => (await program.metric('events_consumed_total')) > before);
      partly = await program.metric('events_consumed_total');
    }
    await program.kill();
    assert.equal(await heard, null, 'nothing was acked');
    assert.deepEqual(readdirSync(join(place.dataDir, 'incoming')), []);
  }
  t.diagnostic(`at least ${partly} of ${EVENTS} events were taken when it was killed`);
  await using program = await new SluiceProcess(['run'], place, SETTINGS).ready();
  const socket = await opened(place);
  const heard = answer(socket);
  socket.write(frame);
  assert.deepEqual(await heard, ackOf('killed'));
  await program.until(async () => (await program.metric('events_inflight')) === 0);
  assert.equal(await program.metric('ledger_imbalance'), 0);
  const { code, stderr } = await program.stop();
  assert.equal(code, 0, stderr);
  assert.equal(await stored(place), EVENTS);
});

test('a full disk for frames: a large one is refused, small ones are taken, and the large one when there is a disk', async (t) => {
  await using place = await newPlace();
  const folder = join(place.dataDir, 'incoming');
  mkdirSync(folder);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'sluice-frames', folder], { encoding: 'utf8' });
  if (mounted.error || mounted.status !== 0) return t.skip(`cannot mount a disk: ${mounted.stderr ?? ''}`);
  const unmount = (): void => void spawnSync('umount', ['--lazy', folder]);
  t.after(unmount);
  const frame = largeFrame('full');
  const settings = { ...SETTINGS, SLUICE_FRAME_MAX_BYTES: String(8 * 1024 * 1024) };
  await using program = await new SluiceProcess(['run'], place, settings).ready();
  const refused = await opened(place);
  const heard = answer(refused);
  refused.write(frame);
  assert.equal(await heard, null);
  assert.equal(await program.metric('chunks_rejected_total'), 1);
  assert.equal(await program.metric('frame_file_bytes'), 0);
  const small = await opened(place);
  small.write(encode(['small', 1_700_000_000, { log: 'small' }, { chunk: 'small' }]));
  assert.deepEqual(await answer(small), ackOf('small'));
  unmount();
  const again = await opened(place);
  again.write(frame);
  assert.deepEqual(await answer(again), ackOf('full'));
  await program.until(async () => (await program.metric('events_inflight')) === 0);
  const { code, stderr } = await program.stop();
  assert.equal(code, 0, stderr);
  assert.equal(await stored(place), EVENTS + 1);
});
