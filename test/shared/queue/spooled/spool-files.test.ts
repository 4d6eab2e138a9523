// The spool whose files are deleted or damaged while it is used, or before it starts.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { RecordingObserver } from './recording-observer.ts';
import { numbersIn, recordOf } from './records.ts';
import { atOnce } from './unsteady-queue.ts';
import { AWAY, open, closeAll, newUpstream, folder, large, feedAll, until, range } from './spool-world.ts';

describe('spool whose folder is deleted', () => {
  it('is made anew with all that was acked, for the next process too', async (t) => {
    const dataDir = await folder(t);
    const upstream = newUpstream();
    upstream.fate = () => AWAY;
    const warnings: string[] = [];
    const spool = await open(t, dataDir, { upstream, warnings });
    for (let n = 0; n < 20; n++) await spool.queue.append(n % 4, [recordOf('a', n)]);
    await rm(dataDir, { recursive: true });
    assert.equal(await spool.queue.append(0, [recordOf('a', 20)]), 'spool');
    assert.match(warnings.join(), /was made anew with all that it held/);
    assert.equal(spool.queue.unreadyReason, null);
    await closeAll(t);
    upstream.fate = () => atOnce;
    await feedAll(dataDir, upstream);
    const delivered = range(4).flatMap((partition) => numbersIn(upstream.memory, partition, 'a'));
    assert.deepEqual(new Set(delivered), new Set(range(21)));
  });
});

describe('damaged spool', () => {
  it('is moved aside at the start, told of, and begun anew', async (t) => {
    const damages: Record<string, (file: string) => void> = {
      'no database': (file) => writeFileSync(file, 'x'.repeat(50_000)),
      'pages of zeros': (file) =>
        writeFileSync(file, Buffer.concat([readFileSync(file).subarray(0, 100), Buffer.alloc(50_000)])),
    };
    for (const [name, damage] of Object.entries(damages)) {
      const dataDir = await folder(t);
      const upstream = newUpstream();
      upstream.fate = () => AWAY;
      const spool = await open(t, dataDir, { upstream });
      await spool.queue.append(0, [recordOf('a', 0)]);
      await closeAll(t);
      damage(join(dataDir, 'spool/0/log.sqlite'));
      const warnings: string[] = [];
      const again = await open(t, dataDir, { upstream, warnings });
      assert.match(warnings.join(), /damaged: it lies in .*log\.sqlite\.corrupt-\d{4}-\d\d-\d\dT/, name);
      assert.ok(readdirSync(join(dataDir, 'spool/0')).some((file) => file.includes('.corrupt-')));
      assert.equal(await again.queue.append(0, [recordOf('a', 1)]), 'spool');
      upstream.fate = () => atOnce;
      await until(() => !again.queue.isSpooling);
      assert.deepEqual(numbersIn(upstream.memory, 0, 'a'), [1]);
    }
  });

  it('is moved aside where it is found while it is read; what is lost is counted', async (t) => {
    const dataDir = await folder(t);
    const upstream = newUpstream();
    upstream.fate = () => AWAY;
    const spool = await open(t, dataDir, { upstream });
    for (let n = 0; n < 60; n++) await spool.queue.append(n % 4, [large(n)]);
    await closeAll(t);
    // Far behind the first pages, in the chains of the values.
    const file = join(dataDir, 'spool/0/log.sqlite');
    const bytes = readFileSync(file);
    bytes.fill(0xff, Math.floor(bytes.length * 0.7), Math.floor(bytes.length * 0.7) + 200_000);
    writeFileSync(file, bytes);

    const observer = new RecordingObserver();
    const warnings: string[] = [];
    const again = await open(t, dataDir, { upstream, observer, warnings });
    assert.equal(observer.events.found, 60);
    upstream.fate = () => atOnce;
    await until(() => !again.queue.isSpooling);
    assert.match(warnings.join(), /damaged/);
    const delivered = range(4).flatMap((partition) => numbersIn(upstream.memory, partition, 'large'));
    assert.equal(new Set(delivered).size + observer.events.dropped, 60);
    assert.deepEqual([...observer.dropReasons], ['spool_damaged']);
    upstream.fate = () => AWAY;
    assert.equal(await again.queue.append(0, [recordOf('a', 1)]), 'spool');
    assert.equal(again.queue.events, 1);
  });
});
