// The only indexer is killed: `sluice lag` and its exporter go on telling how late the logs are. Judged by kcat's view
// of the records.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { loadConfig } from '#shared/config/load.ts';
import { freePort } from '#test/backends/free-port.ts';
import { kafka } from '#test/backends/kafka.ts';
import { ForwardClient } from '#test/clients/forward-client.ts';
import { removeTopics } from '#test/contract/queue-places.ts';
import { scrape, valueOf } from '../parts/scrape.ts';
import { ownTopic } from '../parts/own-topic.ts';
import { type Environment, newPlace, sluice, SluiceProcess } from '../parts/sluice-process.ts';

const run = promisify(execFile);
const broker = await kafka();
const noKcat = spawnSync('kcat', ['-V']).status === 0 ? null : 'SKIPPED: no kcat';
const TAGS = 8;

interface LagLine {
  readonly at: string;
  readonly members: number;
  readonly records: number;
  readonly seconds: number;
  readonly partitions: readonly { partition: number; next: number; records: number; seconds: number }[];
}

interface World {
  readonly environment: { readonly SLUICE_KAFKA_TOPIC: string } & Environment;
  /** Of the exporter. */
  readonly page: string;
}

async function exportedBy({ page }: World, metric: string, labels = {}): Promise<number | null> {
  return valueOf(await scrape(page), `sluice_${metric}`, labels);
}

async function lagOf({ environment }: World, ...args: string[]) {
  const { code, stdout, stderr } = await sluice(['lag', '--json', ...args], null, environment);
  return { code, line: JSON.parse(stdout) as LagLine, stderr };
}

async function sendToEachTag(client: ForwardClient): Promise<void> {
  for (let tag = 0; tag < TAGS; tag++) {
    const record = { message: `of ${tag}` };
    await client.send(`app.lag${tag}`, [{ timeNs: BigInt(Date.now()) * 1_000_000n, record }], 'packed');
  }
}

/** When a record was appended, as kcat sees it. */
async function appendedMsOf({ environment }: World, partition: number, offset: number): Promise<number> {
  const brokers = broker?.brokers.join() ?? '';
  const where = ['-t', environment.SLUICE_KAFKA_TOPIC, '-p', String(partition), '-o', String(offset), '-c', '1'];
  return Number((await run('kcat', ['-b', brokers, '-C', '-q', ...where, '-f', '%T'])).stdout);
}

/** The command and the exporter have the age of the oldest record of each partition that lags, within a second. */
async function agreesWithKcat(world: World, line: LagLine): Promise<void> {
  const lagging = line.partitions.filter(({ records }) => records > 0);
  assert(lagging.length > 0, 'some partitions lag');
  for (const { partition, next, seconds } of lagging) {
    const appendedMs = await appendedMsOf(world, partition, next);
    const trueSeconds = (Date.parse(line.at) - appendedMs) / 1000;
    assert(Math.abs(seconds - trueSeconds) <= 1, `command: ${seconds} s, kcat: ${trueSeconds} s`);
    const beforeMs = Date.now();
    const ofExporter = (await exportedBy(world, 'group_lag_seconds', { partition: String(partition) })) ?? -1;
    const [least, most] = [(beforeMs - appendedMs) / 1000, (Date.now() - appendedMs) / 1000];
    assert(ofExporter >= least - 1 && ofExporter <= most + 1, `exporter: ${ofExporter} s, kcat: ${least} to ${most} s`);
    console.log(
      `partition ${partition}: command ${seconds} s, exporter ${ofExporter} s; kcat ${trueSeconds}, ${least} s`,
    );
  }
}

suite('sluice lag', { skip: noKcat ?? (broker ? false : 'SKIPPED: no Kafka') }, () => {
  test('the only indexer is killed', async () => {
    const lagPort = await freePort();
    const environment = {
      ...ownTopic(broker?.brokers),
      SLUICE_KAFKA_PARTITIONS: '3',
      SLUICE_LAG_LISTEN: `127.0.0.1:${lagPort}`,
    };
    await using atForwarder = await newPlace();
    await using atIndexer = await newPlace();
    const setup = await sluice(['setup'], atForwarder, environment);
    assert.equal(setup.code, 0, setup.stderr);
    try {
      await using forwarder = await new SluiceProcess(['forwarder'], atForwarder, environment).ready();
      await using exporter = new SluiceProcess(['lag', '--serve'], null, environment);
      await using client = new ForwardClient(atForwarder.forward);
      const world = { environment, page: `http://127.0.0.1:${lagPort}/metrics` };
      const exported = (metric: string): Promise<number | null> => exportedBy(world, metric);
      const send = (): Promise<void> => sendToEachTag(client);

      const first = new SluiceProcess(['indexer'], atIndexer, environment);
      await first.ready();
      await send();
      await exporter.until(async () => (await exported('group_lag_records_sum')) === 0);
      await exporter.until(async () => (await exported('group_members')) === 1);
      const well = await lagOf(world, '--max-records', '0', '--max-seconds', '0');
      assert.deepEqual([well.code, well.line.records, well.line.seconds], [0, 0, 0]);
      await first.kill();

      await send();
      await delay(2500);
      await send();
      await exporter.until(async () => ((await exported('group_lag_records_sum')) ?? 0) >= 2);
      const { code, line, stderr } = await lagOf(world, '--max-seconds', '2');
      assert.equal(code, 1, 'over the threshold');
      assert.match(stderr, /^sluice: the oldest record is \d+\.\d s old, over 2 s$/m);
      await agreesWithKcat(world, line);
      assert.equal(await exported('group_drain_seconds'), Infinity);
      assert.equal(await exported('topic_retention_seconds'), 604_800);

      await using second = await new SluiceProcess(['indexer'], atIndexer, environment).ready();
      await second.until(async () => (await exported('group_lag_records_sum')) === 0);
      assert.equal(await exported('group_lag_seconds_max'), 0);
      const table = await sluice(['lag'], null, environment);
      assert.match(table.stdout, /\nall +0 +0\.0\nCaught up\.\n$/);
      const stopped = await exporter.stop();
      assert.equal(stopped.code, 0, stopped.stderr);
      await forwarder.stop();
    } finally {
      await removeTopics(loadConfig({ env: environment, readFile: () => '' }));
    }
  });

  test('of the embedded queue, beside the process that writes it', async () => {
    await using place = await newPlace();
    const nothing = await sluice(['lag'], place);
    assert.equal(nothing.code, 1);
    assert.match(nothing.stderr, /Cannot read the queue/);
    await using service = await new SluiceProcess(['run'], place).ready();
    const posted = await fetch(`http://127.0.0.1:${place.http}/app.lag`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"message":"one"}',
    });
    assert.equal(posted.status, 200);
    await service.until(async () => {
      const { code, stdout } = await sluice(['lag', '--json', '--max-records', '0'], place);
      const { partitions } = JSON.parse(stdout) as LagLine;
      return code === 0 && partitions[0]?.next === 1;
    });
    const wrong = await sluice(['lag', '--max-seconds', 'soon'], place);
    assert.equal(wrong.code, 2);
    const never = await sluice(['lag', '--json', '--group', 'nobody', '--max-records', '0'], place);
    assert.equal(never.code, 1, 'a group that never committed begins at the earliest record');
    assert.equal((JSON.parse(never.stdout) as LagLine).records, 1);
  });
});
