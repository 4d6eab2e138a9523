// `sluice lag`: how far behind the indexers are. It reads the queue alone, so it is right when no indexer runs. It
// prints once or again and again, or serves as an exporter for Prometheus.

import { parseArgs } from 'node:util';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import { Metrics } from '#shared/metrics.ts';
import type { LagFailure, LagSource } from '#shared/queue/group-lag.ts';
import { openLagSource } from '#shared/open/open-lag.ts';
import { messageLine } from '../output/message-line.ts';
import { startAdminPage } from '../admin/page.ts';
import type { CommandContext } from '../process/command.ts';
import { type LagTotals, totalsOf } from '../lag/drain.ts';
import { configOfGroup } from '../lag/group-option.ts';
import { GroupSamples } from '../lag/group-samples.ts';
import { lagJson, lagTable } from '../lag/report.ts';
import { LagSampler } from '../lag/sampler.ts';
import { LagTelemetry } from '../lag/telemetry.ts';
import { Output } from '../output/output.ts';
import { openLog } from '../process/service.ts';
import { VERSION } from '../process/version.ts';

export const help = `Usage: sluice lag [--json] [--watch] [--group NAME] [--max-seconds N] [--max-records N]
       sluice lag --serve [--group NAME]

How far behind the group of the indexers is: records that are not committed, and the age of the oldest of them, from the queue
alone, also when no indexer runs. While there is a lag it looks twice, a second apart, to tell how long it will take.

  --json            One line of JSON for each group: the indexers', and those that read topics of others
  --watch           Again every two seconds, until it is interrupted
  --group NAME      This consumer group on Sluice's topic alone, in place of the configured ones
  --max-seconds N   Exit code 1 if the oldest record is older
  --max-records N   Exit code 1 if there are more records, as it is if the lag of a group cannot be told
  --serve           Runs as an exporter for Prometheus on SLUICE_LAG_LISTEN; it looks every SLUICE_LAG_INTERVAL_MS
`;

const OPTIONS = {
  json: { type: 'boolean', default: false },
  watch: { type: 'boolean', default: false },
  serve: { type: 'boolean', default: false },
  group: { type: 'string' },
  'max-seconds': { type: 'string' },
  'max-records': { type: 'string' },
} as const;

const SECOND_SAMPLE_MS = 1000;
const WATCH_INTERVAL_MS = 2000;
const CLEAR_SCREEN = '\u001b[H\u001b[J';

interface Limits {
  readonly seconds: number;
  readonly records: number;
}

export async function run(args: string[], given: CommandContext): Promise<number> {
  const { values } = parseArgs({ args, options: OPTIONS });
  const limits = {
    seconds: limitOf('--max-seconds', values['max-seconds']),
    records: limitOf('--max-records', values['max-records']),
  };
  if (values.serve && (values.json || values.watch || values['max-seconds'] || values['max-records']))
    throw new SluiceError('usage_wrong', 'Cannot use --serve with other options than --group: it prints nothing');
  const context = { ...given, config: configOfGroup(given.config, values.group) };
  await using source = await openLagSource(context.config, context.clock);
  if (values.serve) return await serve(source, context);
  const write = values.json ? lagJson : lagTable;
  return await (values.watch ? watch(source, write, context) : once(source, write, limits, context));
}

/** Exit code 1 where a limit is exceeded, and where the lag of a group is not known: it may be. */
export async function once(
  source: LagSource,
  write: typeof lagJson,
  limits: Limits,
  { stdout, stderr, clock, signal }: CommandContext,
): Promise<number> {
  const groups = new GroupSamples(source);
  let { samples, failures } = await groups.next();
  if (samples.some(({ drainSeconds }) => drainSeconds > 0)) {
    await clock.sleep(SECOND_SAMPLE_MS, signal).catch(() => undefined);
    if (!signal.aborted) ({ samples, failures } = await groups.next());
  }
  const output = new Output({ stdout, stderr });
  await output.write(samples.map(({ lag, drainSeconds }) => write(lag, drainSeconds)).join(''));
  const overs = samples.map(({ lag }) => overLimit(totalsOf(lag), limits)).filter((over) => over !== null);
  if (overs[0] !== undefined) await output.write(messageLine(overs[0]), stderr);
  await tell(failures, output, stderr);
  return overs.length === 0 && failures.length === 0 ? 0 : 1;
}

/** Of what is not known; the lags that are were written. */
async function tell(failures: readonly LagFailure[], output: Output, stderr: CommandContext['stderr']): Promise<void> {
  for (const { error } of failures) await output.write(messageLine(reasonOf(error)), stderr);
}

async function watch(
  source: LagSource,
  write: typeof lagJson,
  { stdout, stderr, clock, signal }: CommandContext,
): Promise<number> {
  const groups = new GroupSamples(source);
  const output = new Output({ stdout, stderr });
  while (!signal.aborted && !output.closed) {
    const { samples, failures } = await groups.next();
    const text = samples.map(({ lag, drainSeconds }) => write(lag, drainSeconds)).join('');
    await output.write(write === lagTable && stdout.isTTY === true ? CLEAR_SCREEN + text : text);
    await tell(failures, output, stderr);
    await clock.sleep(WATCH_INTERVAL_MS, signal).catch(() => undefined);
  }
  return 0;
}

async function serve(source: LagSource, context: CommandContext): Promise<number> {
  const { config, clock, signal } = context;
  const log = await openLog(context);
  const metrics = new Metrics({ version: VERSION, command: 'lag' });
  const telemetry = new LagTelemetry(metrics, log, clock);
  const sampler = new LagSampler({ source, intervalMs: config['lag.interval_ms'], clock, telemetry, signal });
  const page = {
    metrics: (accept: string) => metrics.render(accept),
    unreadyReasons: () => (sampler.unreadyReason === null ? [] : [sampler.unreadyReason]),
  };
  const server = await startAdminPage({ config, clock, log, metrics }, page, 'lag.listen');
  telemetry.listening(server.address);
  await sampler.run();
  await server.close();
  return 0;
}

function overLimit({ seconds, records }: LagTotals, limits: Limits): string | null {
  if (seconds > limits.seconds) return `the oldest record is ${seconds.toFixed(1)} s old, over ${limits.seconds} s`;
  if (records > limits.records) return `${records} records are not indexed, over ${limits.records}`;
  return null;
}

function limitOf(option: string, text: string | undefined): number {
  if (text === undefined) return Number.POSITIVE_INFINITY;
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text);
  throw new SluiceError('usage_wrong', `Cannot read ${option} "${text}": give a number from 0 on`);
}
