// The program as one file, on a machine without Node: nothing on the PATH, no sources, no packages beside it.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import { openQueue } from '#shared/open/open-queue.ts';
import { silentQueueObserver } from '#shared/queue/queue-observer.ts';
import { encodeBatches } from '#shared/record/record.ts';
import { kafka } from '#test/backends/kafka.ts';
import { ForwardClient } from '#test/clients/forward-client.ts';
import { RecordingHandler } from '#test/contract/recording-handler.ts';
import { removeTopics } from '#test/contract/queue-places.ts';
import { World } from '#test/indexer/world.ts';
import { V8_FLAGS } from '../../../services/sluice/process/v8-flags.ts';
import { ownTopic } from '../parts/own-topic.ts';
import { type Environment, type Finished, newPlace, type Place, SluiceProcess } from '../parts/sluice-process.ts';

const root = join(import.meta.dirname, '../../..');
const broker = await kafka();
const nothingElse = { PATH: '', NODE_OPTIONS: '' };

suite('the single executable', () => {
  let folder = '';
  let executable = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-executable-'));
    executable = join(folder, 'sluice');
    // Of what `npm ci` or `npm run build` made last.
    const build = ['infra/build/single-executable.ts', '--out', executable];
    console.log(execFileSync(process.execPath, build, { cwd: root, encoding: 'utf8' }).trim());
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const start = (args: readonly string[], place: Place | null, more: Environment = {}): SluiceProcess =>
    new SluiceProcess(args, place, { ...nothingElse, ...more }, [executable]);
  const ended = async (args: readonly string[], place: Place | null, more: Environment = {}): Promise<Finished> => {
    await using command = start(args, place, more);
    return await command.finished;
  };

  test('tells its version, and what is wrong', async () => {
    const version = await ended(['--version'], null);
    assert.match(version.stdout, /^sluice \d+\.\d+\.\d+, node 26\./);
    const wrong = await ended(['run', '--no-such-option'], null);
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /no-such-option/);
  });

  test("has V8's flags from its launch on", async () => {
    const preloaded = join(folder, 'preloaded.cjs');
    writeFileSync(preloaded, 'process._rawDebug(JSON.stringify([process.execArgv, typeof gc]));');
    const { stderr } = await ended(['--version'], null, { NODE_OPTIONS: `--require=${preloaded}` });
    assert.deepEqual(JSON.parse(stderr), [V8_FLAGS, 'function']);
  });

  test('runs all in one: its worker threads, its queue and store are inside', async () => {
    await using place = await newPlace();
    await using program = await start(['run'], place).ready();
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`http://127.0.0.1:${place.http}/app.web`, {
      method: 'POST',
      headers,
      body: '{"message":"hello"}',
    });
    assert.equal(answer.status, 200, await answer.text());
    let shown = '';
    while (shown === '') shown = (await ended(['logs', 'app.web'], place)).stdout;
    assert.equal(shown, 'hello\n');
    const { code, stderr } = await program.stop();
    assert.equal(code, 0, stderr);
  });

  for (const [what, program] of [
    ['as one file', () => [executable] as const],
    ['bundled', () => [process.execPath, join(root, 'dist/sluice.js')] as const],
  ] as const) {
    test(`suspect records are tried out by a child process, which is the program once more: ${what}`, async () => {
      await using place = await newPlace();
      await appendSuspect(place.dataDir);
      await using service = new SluiceProcess(['run'], place, nothingElse, [...program()]);
      await service.ready();
      while ((await service.metric('events_indexed_total')) < 2) await systemClock.sleep(20);
      while ((await service.metric('indexer_partitions_suspect')) > 0) await systemClock.sleep(20);
      assert.equal(await service.metric('opening_child_failures_total'), 0);
      assert.equal(await service.metric('events_dead_lettered_total'), 0);
      const { code, stderr } = await service.stop();
      assert.equal(code, 0, stderr);
      assert.match(stderr, /"partition_suspect"[^]*"partition_trusted"/);
    });
  }

  test('two workers', { skip: broker ? false : 'SKIPPED: no Kafka' }, async (t) => {
    const environment = {
      ...ownTopic(broker?.brokers),
      SLUICE_STORE: 'embedded',
    };
    t.after(() => removeTopics(loadConfig({ env: environment, readFile: () => '' })));
    const setup = await ended(['setup'], null, environment);
    assert.equal(setup.code, 0, setup.stderr);
    await using place = await newPlace();
    await using program = await start(['forwarder', '--workers', '2'], place, environment).ready();
    await using client = new ForwardClient(place.forward);
    await client.send('app.workers', [{ timeNs: 1n, record: { message: 'hello' } }], 'packed');
    assert.equal(await program.metric('workers'), 2);
    assert.equal(await program.metric('events_received_total'), 1);
    const { code, stderr } = await program.stop();
    assert.equal(code, 0, stderr);
  });
});

/** Two events at which somebody began to read, twice. */
async function appendSuspect(dataDir: string): Promise<void> {
  const config = loadConfig({ env: { SLUICE_DATA_DIR: dataDir }, readFile: () => '' });
  await using queue = await openQueue(config, { observer: silentQueueObserver });
  const world = new World();
  const value = Buffer.concat([world.entry({ log: 'one' }), world.entry({ log: 'two' })]);
  await queue.append(0, [{ encoding: 'identity', batches: encodeBatches([world.batch(2)]), value }]);
  for (let tries = 1; tries <= 2; tries++) {
    const handler = new RecordingHandler();
    await using _consumer = await queue.consume(handler, { group: config['kafka.group'], fetchBytesMax: 1 });
    await handler.until(() => handler.assignments.length > 0);
  }
}
