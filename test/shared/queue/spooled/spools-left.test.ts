// Spools that other processes have left are found, fed and removed, each by one process.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { SluiceError } from '#shared/errors.ts';
import { EmbeddedQueue } from '#shared/queue/embedded/embedded-queue.ts';
import type { SpoolFigures } from '#shared/queue/spooled/open-spool.ts';
import { RecordingObserver } from './recording-observer.ts';
import { numbersIn, recordOf } from './records.ts';
import { atOnce } from './unsteady-queue.ts';
import { AWAY, open, closeAll, newUpstream, folder, spoolNames, until, range } from './spool-world.ts';

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
