// Records tried out in a real child process: those that do harm, by each limit and in each way, and those that do none.

import assert from 'node:assert/strict';
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ChildOpener } from '#indexer/poison/child-opener.ts';
import type { OpeningLimits } from '#indexer/poison/messages.ts';
import type { OpeningResult } from '#indexer/poison/opener.ts';
import { startChild } from '#shared/child-process.ts';
import { systemClock } from '#shared/clock.ts';
import type { FetchedRecord } from '#shared/queue/queue.ts';
import { encodeBatches } from '#shared/record/record.ts';
import { World } from '../world.ts';

const MIB = 1024 * 1024;
const LIMITS: OpeningLimits = { turnMs: 20_000, runMs: 30_000, heapMb: 128, growthBytes: 512 * MIB };
const OPENING = {
  bytesMax: 64 * MIB,
  documentBytesMax: 16 * MIB,
  bodyBytesMax: MIB,
  trustedTenants: [],
  lines: { timeoutMs: 1000, lineBytesMax: MIB, bytesMax: 16 * MIB },
  lettersBytesMax: 32 * MIB,
};

class Place implements AsyncDisposable {
  readonly children: ChildProcess[] = [];
  readonly failures: unknown[] = [];
  readonly opener: ChildOpener;
  start: () => ChildProcess = planted;
  limits: OpeningLimits = LIMITS;
  /** Where trials have failed. */
  limitsOfFailed: OpeningLimits = LIMITS;
  opening = OPENING;

  constructor() {
    const opening = (): typeof OPENING => this.opening;
    this.opener = new ChildOpener({
      get opening() {
        return opening();
      },
      limits: (hasFailed) => (hasFailed ? this.limitsOfFailed : this.limits),
      clock: systemClock,
      random: () => 0,
      telemetry: { openingChildFailed: (error) => this.failures.push(error) },
      start: () => {
        const child = this.start();
        this.children.push(child);
        return child;
      },
    });
  }

  open(record: FetchedRecord, signal = new AbortController().signal, hasFailed = false): Promise<OpeningResult> {
    return this.opener.open(record, signal, hasFailed);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.opener[Symbol.asyncDispose]();
    for (const child of this.children)
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
}

/** As ours, but records that say so do harm. */
function planted(): ChildProcess {
  const stdio = ['ignore', 'ignore', 'ignore', 'ipc'] as const;
  return fork(fileURLToPath(new URL('./planted-child.ts', import.meta.url)), [], {
    serialization: 'advanced',
    stdio: [...stdio],
  });
}

const ours = (): ChildProcess => startChild('opening-child', import.meta.resolve('#indexer/poison/child-opener.ts'));

function recordOf(texts: readonly string[], encoding = 'gzip'): FetchedRecord {
  const world = new World();
  const entries = texts.map((log) => world.entry({ log, container_name: '/web' }));
  const batches = encodeBatches([world.batch(entries.length)]);
  const headers = { v: Buffer.from('2'), encoding: Buffer.from(encoding), batches };
  return { partition: 0, offset: 7, timestampMs: 1, headers, value: Buffer.concat(entries) };
}

test('a record that does no harm is well, whatever can be said of it otherwise', async () => {
  await using place = new Place();
  place.start = ours;
  const value = recordOf(['one', 'two'], 'identity');
  const torn = { ...value, value: value.value.subarray(0, 11) };
  for (const record of [value, torn, { ...value, headers: {} }, recordOf(['not gzip'])])
    assert.deepEqual(await place.open(record), { kind: 'well' });
  assert.equal(place.children.length, 1, 'one child for all');
});

test('dead letters that an indexer would hold are held in the child as well', async () => {
  // Of each no document may be made.
  const documentBytesMax = 1;
  const count = 400_000;
  const batches = encodeBatches([new World().batch(count)]);
  const headers = { v: Buffer.from('2'), encoding: Buffer.from('identity'), batches };
  const value = Buffer.alloc(3 * count, Buffer.from([0x92, 0x01, 0x80]));
  const record = { partition: 0, offset: 7, timestampMs: 1, headers, value };
  await using few = new Place();
  few.limits = { ...LIMITS, heapMb: 64 };
  few.opening = { ...OPENING, documentBytesMax };
  assert.deepEqual(await few.open(record), { kind: 'well' });
  await using all = new Place();
  all.limits = few.limits;
  all.opening = { ...OPENING, documentBytesMax, lettersBytesMax: 16 * 1024 * MIB };
  const verdict = await all.open(record);
  assert.equal(verdict.kind === 'poison' && verdict.harm, 'memory');
});

// The planted child takes values that are no gzip for what they are, and does what their first text says.
for (const [says, harm, what] of [
  ['POISON crash', 'died', /SIGABRT while decompressing and scanning it/],
  ['POISON throw', 'threw', /planted/],
  ['POISON hang', 'time', /0\.5 s of the processor's time at a stretch/],
  ['POISON wait', 'time', /not done after 3 s/],
  ['POISON turns', 'time', /not done after 3 s/],
  ['POISON heap', 'memory', /memory/],
  ['POISON memory', 'memory', /256 MiB/],
] as const) {
  test(`${says}: it is reported how, with the events of its table`, async () => {
    await using place = new Place();
    const isIdle = says === 'POISON wait' || says === 'POISON turns';
    place.limits = { ...LIMITS, turnMs: harm === 'time' ? 500 : 20_000, heapMb: 64, growthBytes: 256 * MIB };
    if (isIdle) place.limits = { ...place.limits, runMs: 3000 };
    assert.deepEqual(await place.open(recordOf(['harmless'])), { kind: 'well' });
    const verdict = await place.open(recordOf([says, 'two', 'three']));
    assert(verdict.kind === 'poison', `${says} is poison`);
    assert.deepEqual([verdict.harm, verdict.events], [harm, 3]);
    assert.match(verdict.what, what);
    assert.equal(place.children.length, 2, 'it ended a second one, too');
    assert.deepEqual(await place.open(recordOf(['harmless'])), { kind: 'well' });
    assert.equal(place.children.length, 3);
    assert.deepEqual(place.failures, []);
  });
}

test('where trials have failed a child has limits of its own', async () => {
  await using place = new Place();
  const { signal } = new AbortController();
  place.limits = { ...LIMITS, growthBytes: 1024 * MIB };
  place.limitsOfFailed = { ...LIMITS, growthBytes: 160 * MIB };
  assert.deepEqual(await place.open(recordOf(['harmless'])), { kind: 'well' });
  const verdict = await place.open(recordOf(['POISON memory']), signal, true);
  assert.match(verdict.kind === 'poison' ? verdict.what : 'well', /160 MiB/);
});

test('a child that somebody else ends blames no record', async () => {
  await using place = new Place();
  await place.open(recordOf(['harmless']));
  const [first] = place.children;
  assert(first);
  const verdict = place.open(recordOf(['SLOW']));
  setTimeout(() => first.kill('SIGKILL'), 100);
  assert.deepEqual(await verdict, { kind: 'well' });
  assert.equal(place.children.length, 2);
});

test('a record is not blamed for children that the kernel kills before they have taken much', async () => {
  await using place = new Place();
  await place.open(recordOf(['harmless']));
  const verdict = place.open(recordOf(['SLOW']));
  for (let killed = 0; killed < 3;) {
    const child = place.children.at(-1);
    if (child?.connected && child.signalCode === null && place.children.length === killed + 1) {
      await systemClock.sleep(250);
      child.kill('SIGKILL');
      killed++;
    }
    await systemClock.sleep(5);
  }
  assert.deepEqual(await verdict, { kind: 'well' });
  assert(place.failures.length >= 1);
});

test('signals for the whole group of processes do not end it', async () => {
  await using place = new Place();
  await place.open(recordOf(['harmless']));
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) place.children[0]?.kill(signal);
  assert.deepEqual(await place.open(recordOf(['harmless'])), { kind: 'well' });
  assert.equal(place.children.length, 1);
});

test('where no child can be started nothing is blamed: it is reported, and tried until one can', async () => {
  await using place = new Place();
  place.start = () => {
    if (place.failures.length === 0) return spawn('/there/is/no/such/program');
    if (place.failures.length === 1) throw Object.assign(new Error('spawn EAGAIN'), { code: 'EAGAIN' });
    if (place.failures.length === 2) return fork('/there/is/no/such/child.ts', [], { silent: true });
    return planted();
  };
  const verdict = place.open(recordOf(['harmless']));
  while (place.opener.unhealthyReason === null) await systemClock.sleep(5);
  assert.match(place.opener.unhealthyReason, /no child process can be started/);
  assert.deepEqual(await verdict, { kind: 'well' });
  assert.equal(place.failures.length, 3);
  assert.equal(place.opener.unhealthyReason, null);
});

test('who gives up a record does not wait for it', async () => {
  await using place = new Place();
  const abort = new AbortController();
  const verdict = place.open(recordOf(['POISON hang']), abort.signal);
  while (place.children.length === 0) await systemClock.sleep(5);
  abort.abort();
  await assert.rejects(verdict, { name: 'AbortError' });
  assert.deepEqual(await place.open(recordOf(['harmless'])), { kind: 'well' });
});

test('a child ends with its parent, whatever it is doing', async () => {
  const script = fileURLToPath(new URL('./parent-of-child.ts', import.meta.url));
  const parent = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  for await (const text of parent.stdout) {
    said += String(text);
    if (said.includes('\n')) break;
  }
  const pid = Number(said);
  assert(pid > 0, said);
  parent.kill('SIGKILL');
  while (isAlive(pid)) await systemClock.sleep(20);
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
