// Peers that do no good, in numbers, against the real program: the others' events all arrive, and memory stays within
// what the settings allow. `npm run bench -- crowd` shows what it costs the others.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { encode } from '@msgpack/msgpack';
import { Crowd } from '#test/clients/crowd.ts';
import { ForwardClient } from '#test/clients/forward-client.ts';
import { inEmbeddedStore, texts, untilStored } from '../parts/documents.ts';
import { newPlace, SluiceProcess } from '../parts/sluice-process.ts';

const MIB = 1024 * 1024;
const limits = { frame: MIB, intake: 4 * MIB };
/** What V8 may fill before it collects. */
const HEAP_BYTES = 96 * MIB;
const settings = {
  SLUICE_LOG_LEVEL: 'error',
  SLUICE_FRAME_MAX_BYTES: String(limits.frame),
  SLUICE_INTAKE_MAX_BYTES: String(limits.intake),
  SLUICE_INDEXER_INFLIGHT_MAX_BYTES: String(4 * MIB),
  SLUICE_BULK_MAX_BYTES: String(MIB),
  SLUICE_BULK_CONCURRENCY: '1',
  NODE_OPTIONS: `--max-old-space-size=${HEAP_BYTES / MIB}`,
};
/** Sockets, with what node keeps of each. */
const CONNECTION_BYTES = 16 * 1024;
/** In hand, as much again of what has not come whole, and what is made of it on the way. */
const HELD_BYTES = 4 * (2 * limits.intake + limits.frame) + 16 * MIB;

async function memory({ pid }: SluiceProcess, which: 'VmHWM' | 'VmRSS'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`${which}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024;
}

const mib = (bytes: number): string => `${Math.round(bytes / MIB)} MiB`;

test('a crowd that does no good', async (context) => {
  const crowdSize = { slow: 800, garbage: 100 };
  const senders = 100;
  const chunks = 5;
  await using place = await newPlace();
  await using program = await new SluiceProcess(['run'], place, settings).ready();
  const idle = await memory(program, 'VmHWM');
  await using crowd = await new Crowd(place.forward).come(crowdSize);
  const sent = Array.from({ length: senders }, async (_, sender) => {
    await using client = new ForwardClient(place.forward);
    for (let n = 0; n < chunks; n++) {
      const record = { log: `${sender}/${n}` };
      await client.send('crowd.good', [{ record, timeNs: BigInt(Date.now()) * 1_000_000n }], 'packed');
    }
  });
  await Promise.all(sent);
  const documents = await untilStored(inEmbeddedStore(place), 'crowd.good', senders * chunks);
  const expected = Array.from({ length: senders * chunks }, (_, i) => `${Math.floor(i / chunks)}/${i % chunks}`);
  assert.deepEqual(texts(documents, 'message').sort(), expected.sort());
  assert.ok(crowd.garbageClosed > 0);
  assert.equal(crowd.slowClosed, 0, 'nobody waits for what they hold');
  const peak = await memory(program, 'VmHWM');
  const bound = idle + HEAP_BYTES + HELD_BYTES + (crowdSize.slow + crowdSize.garbage + senders) * CONNECTION_BYTES;
  context.diagnostic(`peak memory ${mib(peak)}, idle ${mib(idle)}, bound ${mib(bound)}`);
  assert.ok(peak <= bound, `peak memory ${mib(peak)}, more than ${mib(bound)}`);
});

const head = (hex: string): Buffer => Buffer.from(hex, 'hex');
const millionKeys = (): Buffer => {
  const keys = Buffer.concat(Array.from({ length: 1_000_000 }, () => head('a16b01')));
  return Buffer.concat([head('93a1610081a16d'), head('df000f4240'), keys]);
};
const attacks: Record<string, () => Buffer> = {
  'a length of 4 GiB': () => head('93a161c6ffffffff'),
  'an array of 4 G elements': () => head('ddffffffff'),
  'nesting of 100,000 arrays': () => Buffer.alloc(100_000, 0x91),
  'nesting of 100,000 arrays in a record': () => Buffer.concat([head('93a1610081a161'), Buffer.alloc(100_000, 0x91)]),
  'a map of a million keys': millionKeys,
  'a map that says it has 4 G keys': () => head('93a16100dfffffffff'),
  'a bomb of gzip': () =>
    Buffer.from(encode(['bomb', gzipSync(Buffer.alloc(200 * MIB)), { compressed: 'gzip', chunk: 'b' }])),
  'a frame larger than the limit': () => Buffer.from(encode(['large', Buffer.alloc(20 * MIB), { chunk: 'l' }])),
  'half a frame': () => Buffer.from(encode(['half', Buffer.alloc(MIB - 100), { chunk: 'h' }])).subarray(0, MIB / 2),
};

test('attacks, 40 times each at once', async (context) => {
  await using place = await newPlace();
  await using program = await new SluiceProcess(['run'], place, settings).ready();
  const idle = await memory(program, 'VmHWM');
  for (const [what, bytesOf] of Object.entries(attacks)) {
    const bytes = bytesOf();
    await Promise.all(Array.from({ length: 40 }, () => attack(place.forward, bytes)));
    context.diagnostic(`${what}: memory ${mib(await memory(program, 'VmRSS'))}`);
  }
  const peak = await memory(program, 'VmHWM');
  const bound = idle + HEAP_BYTES + HELD_BYTES;
  context.diagnostic(`peak memory ${mib(peak)}, idle ${mib(idle)}, bound ${mib(bound)}`);
  assert.ok(peak <= bound, `peak memory ${mib(peak)}, more than ${mib(bound)}`);
  await using client = new ForwardClient(place.forward);
  await client.send('after.all', [{ record: { log: 'x' }, timeNs: 1n }], 'message');
  await program.until(async () => (await program.metric('events_inflight')) === 0);
  assert.equal(await program.metric('ledger_imbalance'), 0);
  assert.equal(await program.metric('connection_bytes'), 0, 'nothing is left of them');
});

/** Sends it all, says that no more comes, and resolves when the other side has closed. */
function attack(port: number, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined).on('close', () => resolve());
    socket.resume().end(bytes);
  });
}
