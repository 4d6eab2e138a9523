// The arithmetic of the lag, its two outputs, and the exporter that looks in the background; on a clock that the test
// drives.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '#shared/config/load.ts';
import { SluiceError } from '#shared/errors.ts';
import { Metrics } from '#shared/metrics.ts';
import type { GroupLag, LagFailure, OtherLags } from '#shared/queue/group-lag.ts';
import { openLagSource } from '#shared/open/open-lag.ts';
import { samplesOf, valueOf } from '#test/integration/parts/scrape.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { once } from '../../../services/sluice/commands/lag.ts';
import { DrainEstimate } from '../../../services/sluice/lag/drain.ts';
import { configOfGroup } from '../../../services/sluice/lag/group-option.ts';
import { lagJson, lagTable } from '../../../services/sluice/lag/report.ts';
import { LagSampler } from '../../../services/sluice/lag/sampler.ts';
import { LagTelemetry } from '../../../services/sluice/lag/telemetry.ts';
import { Page } from '../command-runner.ts';

const AT_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

function lagOf(
  atMs: number,
  partitions: readonly (readonly [next: number, high: number, ageMs: number | null])[],
): GroupLag {
  return {
    group: 'g',
    topic: 't',
    atMs,
    partitions: partitions.map(([next, high, ageMs], partition) => ({
      partition,
      low: 0,
      next,
      high,
      oldestMs: ageMs === null ? null : atMs - ageMs,
    })),
    members: 0,
    retentionMs: 100_000,
  };
}

test('time to drain, from how the lag went', () => {
  const estimate = new DrainEstimate();
  assert.equal(estimate.next(lagOf(AT_MS, [[0, 1000, 5000]])), Infinity, 'one look tells nothing');
  assert.equal(estimate.next(lagOf(AT_MS + 1000, [[200, 1100, 5000]])), 9, '100 fewer a second, 900 left');
  assert.equal(estimate.next(lagOf(AT_MS + 2000, [[200, 1500, 5000]])), Infinity, 'it grows');
  assert.equal(estimate.next(lagOf(AT_MS + 3000, [[1500, 1500, null]])), 0, 'caught up');
});

test('table and JSON', () => {
  const lag = lagOf(AT_MS, [
    [5, 5, null],
    [10, 1234, 61_500],
  ]);
  assert.equal(
    lagTable(lag, 42.2),
    `Group g on t, no member
PARTITION  NEXT   END  RECORDS  SECONDS                    OLDEST
0             5     5        0      0.0                         -
1            10  1234     1224     61.5  2026-01-02T03:03:03.500Z
all                       1224     61.5
Caught up in 43 s at this rate; the topic keeps 100 s, of which 62 % are used up.
`,
  );
  assert.match(
    lagTable({ ...lag, members: null, retentionMs: null }, Infinity),
    /^Group g on t\n[^]*\nIt does not shrink\.\n$/,
  );
  const line = lagJson(lag, Infinity);
  assert(line.endsWith('}\n') && !line.slice(0, -1).includes('\n'));
  const { partitions, ...totals } = JSON.parse(line) as Record<string, unknown>;
  assert.deepEqual(totals, {
    group: 'g',
    topic: 't',
    at: '2026-01-02T03:04:05.000Z',
    members: 0,
    records: 1224,
    seconds: 61.5,
    drain_seconds: null,
    retention_seconds: 100,
  });
  assert.deepEqual(partitions, [
    { partition: 0, low: 0, next: 5, high: 5, records: 0, seconds: 0, oldest: null },
    { partition: 1, low: 0, next: 10, high: 1234, records: 1224, seconds: 61.5, oldest: '2026-01-02T03:03:03.500Z' },
  ]);
});

test('the exporter looks in the background, tells the age as of the scrape, and nothing that is old', async () => {
  const clock = new VirtualClock();
  const stop = new AbortController();
  const told: string[] = [];
  const nothing = (): void => undefined;
  const log = { debug: nothing, info: nothing, warn: (event: string) => void told.push(event), error: nothing };
  let looks = 0;
  let isDown = true;
  const source = {
    async sample(): Promise<GroupLag> {
      looks++;
      if (isDown) throw new SluiceError('queue_unavailable', 'Cannot read the lag: nobody answers');
      return lagOf(clock.epochMs(), [[0, 10, 3000]]);
    },
    async [Symbol.asyncDispose](): Promise<void> {},
  };
  const metrics = new Metrics({ version: '', command: '' });
  const telemetry = new LagTelemetry(metrics, log, clock);
  const sampler = new LagSampler({ source, intervalMs: 5000, clock, telemetry, signal: stop.signal });
  const value = async (name: string): Promise<number | null> =>
    valueOf(samplesOf((await metrics.render()).body), `sluice_${name}`);
  const running = sampler.run();

  await clock.settle();
  assert.equal(sampler.unreadyReason, 'Cannot read the lag: nobody answers');
  assert.deepEqual(
    [await value('lag_up'), await value('group_lag_seconds'), await value('lag_sample_age_seconds')],
    [0, null, null],
  );

  isDown = false;
  await clock.advance(5000);
  assert.equal(sampler.unreadyReason, null);
  assert.deepEqual(
    [await value('lag_up'), await value('group_lag_records_sum'), await value('group_members')],
    [1, 10, 0],
  );
  assert.equal(await value('group_lag_seconds'), 3);
  const before = looks;
  isDown = true;
  await clock.advance(4000);
  assert.equal(await value('group_lag_seconds'), 7, 'a scrape between two looks');
  assert.equal(looks, before, 'a scrape asks nobody');
  await clock.advance(30_000);
  assert.deepEqual(
    [await value('lag_up'), await value('group_lag_seconds_max'), await value('lag_sample_age_seconds')],
    [0, 37, 34],
  );
  await clock.advance(30_000);
  assert.deepEqual([await value('group_lag_seconds_max'), await value('group_drain_seconds')], [null, null]);
  assert(told.every((event) => event === 'lag_unknown') && told.length > 1);
  stop.abort();
  await running;
});

test('groups that read topics of others are told beside the own one', async () => {
  const clock = new VirtualClock();
  const stop = new AbortController();
  const nothing = (): void => undefined;
  const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
  const source = {
    sample: async (): Promise<GroupLag> => lagOf(clock.epochMs(), [[0, 10, 3000]]),
    others: async (): Promise<OtherLags> => ({
      lags: [{ ...lagOf(clock.epochMs(), [[0, 7, 1000]]), group: 'indexers.others', topic: 'others' }],
      failures: [],
    }),
    async [Symbol.asyncDispose](): Promise<void> {},
  };
  const metrics = new Metrics({ version: '', command: '' });
  const telemetry = new LagTelemetry(metrics, log, clock);
  const running = new LagSampler({ source, intervalMs: 5000, clock, telemetry, signal: stop.signal }).run();
  await clock.settle();
  const samples = samplesOf((await metrics.render()).body);
  const of = (name: string, group?: string) =>
    valueOf(samples, `sluice_${name}`, group ? { group, topic: 'others' } : {});
  assert.deepEqual(
    [of('group_lag_records_sum', 'indexers.others'), of('group_lag_seconds_max', 'indexers.others')],
    [7, 1],
  );
  assert.equal(of('lag_up'), 1);
  stop.abort();
  await running;
});

/** Caught up in all topics, of which one cannot be read at some time. */
class PartlyReadable {
  readonly clock = new VirtualClock();
  failures: readonly LagFailure[] = [];
  readonly #topics = ['a', 'b'];

  readonly sample = async (): Promise<GroupLag> => lagOf(this.clock.epochMs(), [[10, 10, null]]);

  readonly others = async (): Promise<OtherLags> => {
    const failed = new Set(this.failures.map(({ topic }) => topic));
    const known = this.#topics.filter((topic) => !failed.has(topic) && !failed.has(null));
    const lags = known.map((topic) => ({ ...lagOf(this.clock.epochMs(), [[7, 7, null]]), group: `g.${topic}`, topic }));
    return { lags, failures: this.failures };
  };

  fail(topic: string | null): void {
    this.failures = [{ topic, error: new SluiceError('queue_refused', `no right on ${topic}`) }];
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

test('the command prints the groups that are known, and tells which is not', async () => {
  const source = new PartlyReadable();
  const check = async (groups: readonly string[], told: string, exit: number): Promise<void> => {
    const [stdout, stderr] = [new Page(), new Page()];
    const config = loadConfig({ env: {}, readFile: () => '' });
    const context = { config, stdout, stderr, clock: source.clock, signal: new AbortController().signal };
    const limits = { seconds: 1, records: 1 };
    assert.equal(await source.clock.until(once(source, lagJson, limits, context)), exit);
    const lines = stdout.text.trim().split('\n');
    assert.deepEqual(
      lines.map((line) => JSON.parse(line).group),
      groups,
    );
    assert.equal(stderr.text, told);
  };
  await check(['g', 'g.a', 'g.b'], '', 0);
  source.fail('a');
  await check(['g', 'g.b'], 'sluice: no right on a\n', 1);
  source.fail(null);
  await check(['g'], 'sluice: no right on null\n', 1);
});

test('the exporter has the groups that are known; figures of one that is not end after a while', async () => {
  const source = new PartlyReadable();
  const { clock } = source;
  const stop = new AbortController();
  const nothing = (): void => undefined;
  const told: unknown[] = [];
  const warn = (_event: string, fields?: object): void => void told.push(fields);
  const metrics = new Metrics({ version: '', command: '' });
  const telemetry = new LagTelemetry(metrics, { debug: nothing, info: nothing, warn, error: nothing }, clock);
  const sampler = new LagSampler({ source, intervalMs: 5000, clock, telemetry, signal: stop.signal });
  const running = sampler.run();
  const known = async (): Promise<string[]> => {
    const samples = samplesOf((await metrics.render()).body);
    const has = (topic: string): boolean => valueOf(samples, 'sluice_group_lag_records_sum', { topic }) !== null;
    return ['t', 'a', 'b'].filter(has);
  };
  await clock.settle();
  source.fail('a');
  await clock.advance(30_000);
  assert.deepEqual(await known(), ['t', 'a', 'b']);
  assert.equal(sampler.unreadyReason, 'no right on a');
  await clock.advance(60_000);
  assert.deepEqual(await known(), ['t', 'b']);
  assert.match(JSON.stringify(told[0]), /no right on a/);
  source.failures = [];
  await clock.advance(5000);
  assert.deepEqual([await known(), sampler.unreadyReason], [['t', 'a', 'b'], null]);
  stop.abort();
  await running;
});

test('a group that is named is looked at alone', async () => {
  const env = { SLUICE_KAFKA_BROKERS: 'localhost:9092', SLUICE_KAFKA_SOURCES: '[{topic: others, format: text}]' };
  const config = loadConfig({ env, readFile: () => '' });
  await using all = await openLagSource(configOfGroup(config, undefined));
  assert(all.others);
  const named = configOfGroup(config, 'another');
  await using one = await openLagSource(named);
  assert.deepEqual([named['kafka.group'], one.others], ['another', undefined]);
});
