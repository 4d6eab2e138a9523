// The spool on devices that are full, or cannot be written: it pushes back, says so, and works on afterwards.

import assert from 'node:assert/strict';
import { statSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Spool } from '#shared/queue/spooled/open-spool.ts';
import { disk, tmpfs } from '../file-systems.ts';
import { RecordingObserver } from './recording-observer.ts';
import { firstAppearances, numbersIn, recordOf } from './records.ts';
import { atOnce, type UnsteadyQueue } from './unsteady-queue.ts';
import { MIB, AWAY, open, closeAll, newUpstream, folder, large, fill, until, range } from './spool-world.ts';

describe('spool on a full device', () => {
  it('pushes back, is opened again on it, and works on when it was fed', async (t) => {
    const dataDir = tmpfs(t, 'size=20m');
    if (dataDir === null) return t.skip('needs to mount a tmpfs');
    const upstream = newUpstream();
    upstream.fate = () => AWAY;
    const held = await fill(await open(t, dataDir, { upstream }));
    assert.ok(held > 20, `only ${held} of 0.5 MB fit into 20 MiB`);
    await closeAll(t);

    const observer = new RecordingObserver();
    const spool = await open(t, dataDir, { upstream, observer });
    assert.equal(observer.events.found, held);
    await assert.rejects(spool.queue.append(0, [large(held)]), { code: 'queue_full' });
    assert.match(spool.queue.unreadyReason ?? '', /no space is left on the device/);
    await worksOn(spool, upstream, held);
  });

  it('works on when others have taken the last byte, and gave some back', async (t) => {
    const dataDir = tmpfs(t, 'size=20m');
    if (dataDir === null) return t.skip('needs to mount a tmpfs');
    const upstream = newUpstream();
    upstream.fate = () => AWAY;
    const spool = await open(t, dataDir, { upstream });
    for (let n = 0; n < 15; n++) await spool.queue.append(0, [large(n)]);
    const ballast = join(dataDir, 'ballast');
    for (let size = 16 * MIB; size > 1; size = Math.floor(size / 2)) {
      try {
        writeFileSync(ballast, Buffer.alloc(size), { flag: 'a' });
      } catch {
        // So much does not fit.
      }
    }
    await assert.rejects(spool.queue.append(0, [large(15)]), { code: 'queue_full' });
    // It is fed although it cannot say so on the device.
    upstream.fate = () => atOnce;
    await until(() => !spool.queue.isSpooling);
    assert.deepEqual(numbersIn(upstream.memory, 0, 'large'), range(15));
    await rm(ballast);
    upstream.fate = () => AWAY;
    await worksOn(spool, upstream, 15);
  });

  it('keeps within its own limit, and gives the space back', async (t) => {
    const dataDir = await folder(t);
    const upstream = newUpstream();
    upstream.fate = () => AWAY;
    const spool = await open(t, dataDir, { upstream, env: { SLUICE_SPOOL_MAX_BYTES: '16MiB' } });
    const held = await fill(spool);
    assert.ok(held > 10);
    const file = join(dataDir, 'spool/0/log.sqlite');
    assert.ok(statSync(file).size + statSync(`${file}-wal`).size <= 16 * MIB);
    upstream.fate = () => atOnce;
    await until(() => !spool.queue.isSpooling);
    await until(() => statSync(file).size < 6 * MIB);
    assert.deepEqual(numbersIn(upstream.memory, 0, 'large'), range(held));
  });

  it('gives up its oldest events where that was chosen, and counts each', async (t) => {
    const dataDir = await folder(t);
    const upstream = newUpstream();
    upstream.fate = () => AWAY;
    const observer = new RecordingObserver();
    const env = { SLUICE_SPOOL_MAX_BYTES: '16MiB', SLUICE_SPOOL_FULL: 'drop-oldest' };
    const spool = await open(t, dataDir, { upstream, observer, env });
    for (let n = 0; n < 60; n++) assert.equal(await spool.queue.append(0, [large(n)]), 'spool');
    assert.equal(spool.queue.unreadyReason, null);
    assert.ok(observer.events.dropped > 20);
    upstream.fate = () => atOnce;
    await until(() => !spool.queue.isSpooling);
    const numbers = numbersIn(upstream.memory, 0, 'large');
    assert.equal(numbers.length + observer.events.dropped, 60);
    assert.deepEqual(numbers, range(60).slice(-numbers.length), 'the oldest are those that are missing');
    assert.equal(observer.held, 0);
  });
});

describe('spool on a device that cannot be written', () => {
  it('is refused at the start, with advice', async (t) => {
    const dataDir = tmpfs(t, 'ro');
    if (dataDir === null) return t.skip('needs to mount a tmpfs');
    await assert.rejects(open(t, dataDir), {
      code: 'data_dir_unusable',
      message: /SLUICE_DATA_DIR.*SLUICE_SPOOL=false/,
    });
  });

  it('says so, feeds what it holds, steps aside, and is whole when the device is repaired', async (t) => {
    const device = disk(t);
    if (device === null) return t.skip('needs to mount a file by a loop device');
    const upstream = newUpstream();
    upstream.fate = () => AWAY;
    const spool = await open(t, device.folder, { upstream });
    for (let n = 0; n < 5; n++) await spool.queue.append(0, [recordOf('a', n)]);
    device.fail();
    await assert.rejects(spool.queue.append(0, [recordOf('a', 5)]), { code: 'queue_unavailable' });
    assert.match(spool.queue.unreadyReason ?? '', /Cannot write to the spool: .*read-only/);
    upstream.fate = () => atOnce;
    await until(() => !spool.queue.isSpooling);
    assert.equal(spool.queue.unreadyReason, null, 'nothing is in it, so it is in nobody’s way');
    assert.equal(await spool.queue.append(0, [recordOf('a', 5)]), undefined);
    await closeAll(t);

    device.repair();
    const again = await open(t, device.folder, { upstream });
    await until(() => !again.queue.isSpooling);
    assert.deepEqual(firstAppearances(numbersIn(upstream.memory, 0, 'a')), [0, 1, 2, 3, 4, 5]);
  });
});

describe('readiness', () => {
  it('tells what the next event would hear, although none was tried', async (t) => {
    const dataDir = tmpfs(t, 'size=20m');
    if (dataDir === null) return t.skip('needs to mount a tmpfs');
    const upstream = newUpstream();
    const spool = await open(t, dataDir, { upstream });
    const ballast = join(dataDir, 'ballast');
    for (let size = 16 * MIB; size > 1; size = Math.floor(size / 2)) {
      try {
        writeFileSync(ballast, Buffer.alloc(size), { flag: 'a' });
      } catch {
        // So much does not fit.
      }
    }
    assert.equal(spool.queue.unreadyReason, null, 'the queue behind takes events');
    upstream.unreadyReason = 'Kafka is away';
    upstream.fate = () => AWAY;
    await until(() => spool.queue.unreadyReason !== null);
    assert.match(spool.queue.unreadyReason ?? '', /^Kafka is away; the spool is full: no space is left/);
    await rm(ballast);
    await until(() => spool.queue.unreadyReason === null);
    assert.equal(await spool.queue.append(0, [recordOf('a', 0)]), 'spool');
  });
});

/** Feeds what the spool holds, `held` records so far, fills it again, and feeds that. */
async function worksOn(spool: Spool, upstream: UnsteadyQueue, held: number): Promise<void> {
  upstream.fate = () => atOnce;
  await until(() => !spool.queue.isSpooling);
  upstream.fate = () => AWAY;
  let all = held;
  // The file shrinks in steps; what is refused until then is sent again.
  while (all < held + 10) {
    all += await fill(spool, all);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  upstream.fate = () => atOnce;
  await until(() => !spool.queue.isSpooling);
  assert.deepEqual(numbersIn(upstream.memory, 0, 'large'), range(all));
}
