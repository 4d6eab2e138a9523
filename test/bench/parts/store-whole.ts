// What `sluice run` spends on a line on its whole way: received as a packed Forward chunk, acknowledged, queued,
// indexed into the embedded store, and committed. Of all of its threads, from the kernel.

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { type ProcessUnderTest, startUnderTest } from './child-process.ts';
import { packedChunks } from './store-documents.ts';

const LOOK_MS = 200;
const DRAIN_MS = 600_000;

export async function runWhole(events: number, perBatch: number): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-bench-whole-'));
  try {
    await using sluice = await startUnderTest('run', { SLUICE_DATA_DIR: dataDir });
    const before = sluice.cpuSeconds();
    await send(sluice.forwardPort, events, perBatch);
    await untilIndexed(sluice, events);
    const perSecond = events / (sluice.cpuSeconds() - before);
    console.log(
      `  the whole of sluice run: ${Math.round(perSecond / 1000)} k documents per CPU-second, ` +
        `${Math.round(sluice.peakMiB())} MiB at the peak`,
    );
  } finally {
    await rm(dataDir, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** One chunk after another, each when the one before was acknowledged. */
async function send(port: number, events: number, perBatch: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const writer = new MsgpackWriter();
  let number = 0;
  for (const entries of packedChunks(events, perBatch)) {
    writer.reset();
    writer.arrayHeader(3);
    writer.string('docker.shop');
    writer.binary(entries);
    writer.mapHeader(1);
    writer.string('chunk');
    writer.string(`chunk-${number++}`);
    socket.write(writer.take());
    await once(socket, 'data');
  }
  socket.destroy();
}

async function untilIndexed(sluice: ProcessUnderTest, events: number): Promise<void> {
  const end = performance.now() + DRAIN_MS;
  while ((await sluice.counter('sluice_events_indexed_total')) < events) {
    if (performance.now() > end) throw new Error('sluice run does not index what it took');
    await delay(LOOK_MS);
  }
}
