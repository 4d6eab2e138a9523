// A record that kills whoever opens it, and one that stalls it: indexers that die of it again and again get past it,
// with all else indexed once, and the record itself with the dead letters. The processes, their deaths and the queues
// are real; the harm is planted.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import type { ReadDeadLetter } from '#shared/queue/dead-letter.ts';
import { readDeadLetters, surveyDeadLetters } from '#shared/queue/dead-letter-reader.ts';
import { openQueue } from '#shared/open/open-queue.ts';
import { silentQueueObserver } from '#shared/queue/queue-observer.ts';
import { setupTopics } from '#shared/queue/kafka/setup.ts';
import { encodeBatches, type QueueRecord } from '#shared/record/record.ts';
import { kafka } from '#test/backends/kafka.ts';
import { removeTopics } from '#test/contract/queue-places.ts';
import { World } from '#test/indexer/world.ts';
import { ownTopic } from '../parts/own-topic.ts';
import type { Environment } from '../parts/sluice-process.ts';

const broker = await kafka();
const world = new World();

interface Counts {
  readonly drained?: boolean;
  readonly children: number;
  readonly consumed: number;
  readonly indexed: number;
  readonly deduplicated: number;
  readonly dead_lettered: number;
}

class Run {
  readonly child: ChildProcess;
  readonly ended: Promise<unknown[]>;
  said = '';

  constructor(env: Environment, args: readonly string[] = []) {
    this.child = spawn(
      process.execPath,
      [fileURLToPath(new URL('../parts/planted-indexer.ts', import.meta.url)), ...args],
      {
        env: { PATH: process.env['PATH'], ...env },
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    );
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.said += text));
    this.ended = once(this.child, 'close');
  }

  /** What it told last. */
  get counts(): Counts {
    const line = this.said.split('\n').findLast((text) => text.endsWith('}'));
    return JSON.parse(line ?? '{"children":0,"consumed":0,"indexed":0,"deduplicated":0,"dead_lettered":0}') as Counts;
  }

  async until(condition: (counts: Counts) => boolean): Promise<void> {
    while (!condition(this.counts)) {
      assert.equal(this.child.exitCode ?? this.child.signalCode, null, this.said);
      await systemClock.sleep(50);
    }
  }
}

function record(...texts: string[]): QueueRecord {
  const entries = texts.map((log) => world.entry({ log, container_name: '/web' }));
  const batch = { ...world.batch(texts.length), id: randomBytes(16), receivedMs: Date.now() };
  // The planted decompression takes the bytes for what they are.
  return { encoding: 'gzip', batches: encodeBatches([batch]), value: Buffer.concat(entries) };
}

async function folder(t: TestContext): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'sluice-poison-'));
  t.after(() => rm(made, { recursive: true, force: true }));
  return made;
}

async function append(env: Environment, ...records: QueueRecord[]): Promise<void> {
  const config = loadConfig({ env, readFile: () => '' });
  await using queue = await openQueue(config, { observer: silentQueueObserver });
  await queue.opened();
  for (const one of records) await queue.append(0, [one]);
}

async function lettersOf(env: Environment): Promise<ReadDeadLetter[]> {
  const config = loadConfig({ env, readFile: () => '' });
  await using queue = await openQueue(config, { observer: silentQueueObserver });
  await queue.opened();
  const { signal } = new AbortController();
  const survey = await surveyDeadLetters(queue, undefined, signal);
  return await Array.fromAsync(readDeadLetters(queue, {}, { survey, signal }));
}

/** A drain job that is killed by a record twice, and the third one that is not. */
async function killedTwice(env: Environment): Promise<void> {
  await append(env, record('one', 'two'));
  const healthy = new Run(env, ['drain']);
  await healthy.ended;
  assert.deepEqual([healthy.counts.indexed, healthy.counts.children], [2, 0], 'a healthy partition needs no child');
  await append(env, record('three'), record('POISON crash', 'beside it'), record('four', 'five'));

  const counts: Counts[] = [];
  for (let run = 1; counts.length === 0; run++) {
    const drain = new Run(env, ['drain']);
    const [, signal] = await drain.ended;
    if (signal === 'SIGABRT') assert.ok(run <= 2, 'the third gets past it');
    else counts.push(drain.counts);
  }
  assert.equal(counts[0]?.drained, true);
  assert.equal(counts[0].dead_lettered, 2);
  assert.equal(counts[0].indexed + counts[0].deduplicated, 3, 'all else, once: what is there already is not added');
  assert.equal(counts[0].children, 3, 'two that the record ended, and the one for those behind it');
  const letters = await lettersOf(env);
  assert.deepEqual(
    letters.map(({ reason }) => reason),
    ['record_poisonous'],
  );
  assert.match(letters[0]?.error ?? '', /SIGABRT while decompressing and scanning it/);
  assert.ok(Buffer.from(letters[0]?.value ?? []).includes('POISON crash'), 'whole');

  await append(env, record('six'));
  const after = new Run(env, ['drain']);
  await after.ended;
  assert.deepEqual([after.counts.indexed, after.counts.children], [1, 0], 'the count begins anew');
}

suite('a record that kills', () => {
  test('embedded queue', async (t) => killedTwice({ SLUICE_DATA_DIR: await folder(t) }));

  test('Kafka', { skip: broker ? false : 'SKIPPED: no Kafka' }, async (t) => {
    const env = await kafkaEnv(t);
    await killedTwice({ ...env, SLUICE_DATA_DIR: await folder(t) });
  });
});

test('a record that stalls its indexer', { skip: broker ? false : 'SKIPPED: no Kafka' }, async (t) => {
  const env = await kafkaEnv(t);
  const first = new Run({ ...env, SLUICE_DATA_DIR: await folder(t) });
  t.after(() => first.child.kill('SIGKILL'));
  await append(env, record('one'));
  await first.until(({ indexed }) => indexed === 1);
  await append(env, record('POISON hang'), record('two', 'three'));
  // The group misses it after its session; whoever is next stalls as well, or opens the record in a child process.
  const others = [1, 2].map(async () => new Run({ ...env, SLUICE_DATA_DIR: await folder(t) }));
  const runs = await Promise.all(others);
  t.after(() => runs.forEach(({ child }) => child.kill('SIGKILL')));
  const sum = (of: (counts: Counts) => number): number => runs.reduce((total, { counts }) => total + of(counts), 0);
  while (sum(({ indexed }) => indexed) < 2) await systemClock.sleep(100);
  assert.equal(
    sum(({ dead_lettered }) => dead_lettered),
    1,
  );
  assert.equal(first.counts.indexed, 1);
  const [letter, ...more] = await lettersOf(env);
  assert.equal(more.length, 0);
  assert.match(letter?.error ?? '', /1 s of the processor's time at a stretch/);
});

async function kafkaEnv(t: TestContext): Promise<Environment> {
  const env = { ...ownTopic(broker?.brokers), SLUICE_KAFKA_PARTITIONS: '1', SLUICE_STORE: 'embedded' };
  const config = loadConfig({ env, readFile: () => '' });
  await setupTopics(config);
  t.after(() => removeTopics(config));
  return env;
}
