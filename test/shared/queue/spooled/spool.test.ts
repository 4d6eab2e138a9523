// The spool on real folders: kills, full and failing devices, damaged files, and folders that others have left.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import { SluiceError } from '#shared/errors.ts';
import { EmbeddedQueue } from '#shared/queue/embedded/embedded-queue.ts';
import type { QueueRecord } from '#shared/record/record.ts';
import { openSpool, type Spool, type SpoolFigures } from '#shared/queue/spooled/open-spool.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { disk, tmpfs } from '../file-systems.ts';
import { RecordingObserver } from './recording-observer.ts';
import { firstAppearances, numbersIn, recordOf } from './records.ts';
import { atOnce, refusedWith, UnsteadyQueue } from './unsteady-queue.ts';

const MIB = 1024 * 1024;
const AWAY = refusedWith('queue_unavailable');

describe('spool of a process that is killed', () => {
  it('has all that was acked, in order, for the next process', async (t) => {
    const dataDir = await folder(t);
    const upstream = newUpstream();
    let first = 0;
    for (let round = 0; round < 3; round++) {
      const acked = await spoolUntilKilled(dataDir, first, 40 + 60 * round);
      await feedAll(dataDir, upstream);
      for (const [partition, to] of acked.entries()) {
        const numbers = numbersIn(upstream.memory, partition, `source ${partition}`);
        const delivered = firstAppearances(numbers);
        assert.ok(
          acked.every((n) => n > first),
          'all partitions were at work',
        );
        assert.deepEqual(
          delivered,
          [...delivered].sort((a, b) => a - b),
          'in order',
        );
        assert.ok(delivered.includes(to - 1) && delivered.length >= to - first * round, `all up to ${to}`);
      }
      // The one that was under way at the kill may be there or not: the next round begins behind it.
      first = Math.max(...acked) + 1;
    }
  });

  it('is whole when its last write is torn', async (t) => {
    const damages: Record<string, (wal: string) => void> = {
      'garbage behind it': (wal) => writeFileSync(wal, Buffer.alloc(5000, 7), { flag: 'a' }),
      'cut in a frame': (wal) => truncateSync(wal, statSync(wal).size - 3000),
    };
    for (const [name, damage] of Object.entries(damages)) {
      const dataDir = await folder(t);
      const acked = await spoolUntilKilled(dataDir, 0, 30);
      damage(join(dataDir, 'spool/0/log.sqlite-wal'));
      const upstream = newUpstream();
      await feedAll(dataDir, upstream);
      for (const [partition, to] of acked.entries()) {
        const numbers = firstAppearances(numbersIn(upstream.memory, partition, `source ${partition}`));
        assert.deepEqual(
          numbers,
          Array.from({ length: numbers.length }, (_, n) => n),
          name,
        );
        // A cut takes away what was synced, which no kill does: the last transactions, and nothing else.
        if (name === 'garbage behind it') assert.ok(numbers.length >= to);
        else assert.ok(numbers.length > 0);
      }
    }
  });
});

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

describe('spools that others have left', () => {
  it('are fed and removed; those that are in use are let alone', async (t) => {
    const dataDir = await folder(t);
    const upstream = newUpstream();
    upstream.fate = () => AWAY;
    const spools = [await open(t, dataDir, { upstream }), await open(t, dataDir, { upstream })];
    const [inUse, other] = spools;
    assert.ok(inUse && other);
    const third = await open(t, dataDir, { upstream });
    for (const [i, spool] of [...spools, third].entries()) {
      await spool.queue.append(i, [recordOf('a', i, 10)]);
    }
    assert.deepEqual(spoolNames(dataDir), ['0', '1', '2']);
    await other[Symbol.asyncDispose]();
    await third[Symbol.asyncDispose]();

    upstream.fate = () => atOnce;
    const observer = new RecordingObserver();
    let figures: (() => SpoolFigures) | undefined;
    const next = await open(t, dataDir, { upstream, observer, watch: (given) => (figures = given) });
    await until(() => observer.events.fed === 20);
    await until(() => spoolNames(dataDir).length === 2);
    assert.deepEqual(spoolNames(dataDir), ['0', '1']);
    assert.equal(figures?.().events, 0);
    assert.equal(observer.events.found, 20);
    await until(() => !inUse.queue.isSpooling && !next.queue.isSpooling);
    assert.deepEqual(
      range(3).map((partition) => numbersIn(upstream.memory, partition, 'a')),
      [[0], [1], [2]],
    );
  });

  it('are let go where they cannot be counted, and taken again', async (t) => {
    const dataDir = await folder(t);
    const upstream = newUpstream();
    upstream.fate = () => AWAY;
    const [former, left] = [await open(t, dataDir, { upstream }), await open(t, dataDir, { upstream })];
    await left.queue.append(0, [recordOf('a', 0, 10)]);
    await left[Symbol.asyncDispose]();
    await former[Symbol.asyncDispose]();
    upstream.fate = () => atOnce;
    const warnings: string[] = [];
    let counts = 0;
    const { backlog } = EmbeddedQueue.prototype;
    // The first is the own one.
    t.mock.method(EmbeddedQueue.prototype, 'backlog', function (this: EmbeddedQueue, group: string) {
      if (++counts === 2) throw new SluiceError('queue_unavailable', 'disk I/O error');
      return backlog.call(this, group);
    });
    const observer = new RecordingObserver();
    await open(t, dataDir, { upstream, observer, warnings });
    await until(() => observer.events.fed === 10);
    await until(() => spoolNames(dataDir).length === 1);
    assert.match(warnings.join(), /Cannot take over the spool in .*: it cannot be fed: disk I\/O error/);
  });

  it('are found whenever they are left, each by one process, and counted', async (t) => {
    const dataDir = await folder(t);
    const upstream = newUpstream();
    upstream.fate = () => AWAY;
    const formers = [await open(t, dataDir, { upstream }), await open(t, dataDir, { upstream })];
    for (const [i, former] of formers.entries()) await former.queue.append(i, [recordOf('a', i, 10)]);
    const observers = [new RecordingObserver(), new RecordingObserver()];
    const figures: (() => SpoolFigures)[] = [];
    for (const observer of observers) {
      await open(t, dataDir, { upstream, observer, watch: (given) => figures.push(given) });
    }
    // Their successors run before they end, as at SIGHUP with workers.
    for (const former of formers) await former[Symbol.asyncDispose]();
    await until(() => observers.reduce((sum, { events }) => sum + events.found, 0) === 20);
    assert.equal(
      figures.reduce((sum, of) => sum + of().events, 0),
      20,
      'counted, while nothing can be fed',
    );
    upstream.fate = () => atOnce;
    await until(() => spoolNames(dataDir).length === 2);
    assert.deepEqual(
      range(2).map((partition) => numbersIn(upstream.memory, partition, 'a')),
      [[0], [1]],
    );
  });

  it('wait in turn where they are many; how many is told', async (t) => {
    const dataDir = await folder(t);
    const upstream = newUpstream();
    upstream.fate = () => AWAY;
    const formers = [];
    for (let n = 0; n < 6; n++) formers.push(await open(t, dataDir, { upstream }));
    for (const [n, former] of formers.entries()) await former.queue.append(n % 4, [recordOf('a', n)]);
    const observer = new RecordingObserver();
    let figures: (() => SpoolFigures) | undefined;
    await open(t, dataDir, { upstream, observer, watch: (given) => (figures = given) });
    for (const former of formers) await former[Symbol.asyncDispose]();
    // Those that are fed are opened one after another.
    await until(() => figures?.().left === 2 && figures().events === 4);
    upstream.fate = () => atOnce;
    await until(() => observer.events.fed === 6);
    await until(() => figures?.().left === 0 && spoolNames(dataDir).length === 1);
  });

  it('remember the topic for a start while the queue is away', async (t) => {
    const dataDir = await folder(t);
    await open(t, dataDir, { upstream: newUpstream() });
    await until(() => existsSync(join(dataDir, 'spool/topic.json')));
    await closeAll(t);
    const upstream = newUpstream();
    upstream.isReached = false;
    const spool = await open(t, dataDir, { upstream });
    assert.equal(spool.queue.partitions, 4);
  });
});

interface Opening {
  readonly upstream?: UnsteadyQueue;
  readonly observer?: RecordingObserver;
  readonly warnings?: string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly watch?: (figures: () => SpoolFigures) => void;
}

const opened = new WeakMap<TestContext, Spool[]>();

/** Opens a spool, which is closed at the end of the test at the latest. */
async function open(t: TestContext, dataDir: string, opening: Opening = {}): Promise<Spool> {
  const { upstream = newUpstream(), observer = new RecordingObserver(), warnings = [], env, watch } = opening;
  const spool = await openSpool({
    config: loadConfig({
      env: { SLUICE_DATA_DIR: dataDir, SLUICE_KAFKA_BROKERS: 'none:1', ...env },
      readFile: () => '',
    }),
    upstream: upstream.connect(),
    clock: systemClock,
    random: Math.random,
    observe(figures) {
      watch?.(figures);
      return observer;
    },
    warn: (message) => warnings.push(message),
  });
  const others = opened.get(t);
  if (others) others.push(spool);
  else {
    opened.set(t, [spool]);
    t.after(() => closeAll(t));
  }
  return spool;
}

async function closeAll(t: TestContext): Promise<void> {
  for (const spool of opened.get(t)?.splice(0) ?? []) await spool[Symbol.asyncDispose]();
}

function newUpstream(): UnsteadyQueue {
  return new UnsteadyQueue(new VirtualClock(), 4);
}

async function folder(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-spool-'));
  t.after(async () => {
    await closeAll(t);
    await rm(dir, { recursive: true });
  });
  return dir;
}

function spoolNames(dataDir: string): string[] {
  return readdirSync(join(dataDir, 'spool')).filter((name) => /^\d+$/.test(name));
}

/** A record of 0.5 MB with one event. */
function large(n: number): QueueRecord {
  return { ...recordOf('large', n), value: Buffer.alloc(500_000, n) };
}

/** Appends until the spool is full; resolves to the number that it took. */
async function fill(spool: Spool, from = 0): Promise<number> {
  for (let n = from; ; n++) {
    try {
      await spool.queue.append(0, [large(n)]);
    } catch (error) {
      assert.ok(error instanceof Error && 'code' in error);
      assert.equal(error.code, 'queue_full');
      return n - from;
    }
  }
}

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

/**
 * Runs spool-for-ever.ts and kills it after so many acks; resolves to the number after the last acked one of each
 * partition.
 */
async function spoolUntilKilled(dataDir: string, first: number, acks: number): Promise<number[]> {
  const program = fileURLToPath(new URL('./spool-for-ever.ts', import.meta.url));
  const child = spawn(process.execPath, [program, dataDir, String(first)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exit = once(child, 'exit');
  let acked: number[] = [];
  let seen = 0;
  for await (const line of createInterface(child.stdout)) {
    acked = line.split(' ').map(Number);
    if (++seen === acks) child.kill('SIGKILL');
  }
  await exit;
  return acked;
}

async function feedAll(dataDir: string, upstream: UnsteadyQueue): Promise<void> {
  const spool = await openSpool({
    config: loadConfig({ env: { SLUICE_DATA_DIR: dataDir, SLUICE_KAFKA_BROKERS: 'none:1' }, readFile: () => '' }),
    upstream: upstream.connect(),
    clock: systemClock,
    random: Math.random,
    observe: () => new RecordingObserver(),
    warn: (message) => assert.fail(message),
  });
  await until(() => !spool.queue.isSpooling);
  await spool[Symbol.asyncDispose]();
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

function range(length: number): number[] {
  return Array.from({ length }, (_, n) => n);
}
