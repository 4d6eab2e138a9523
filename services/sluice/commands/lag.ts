// `sluice lag`: how far behind the indexers are. It reads the queue alone, so it is right when no indexer runs. It
// prints once or again and again, or serves as an exporter for Prometheus.

import { parseArgs } from 'node:util';
import { SluiceError } from '#shared/errors.ts';
import { Metrics } from '#shared/metrics.ts';
import type { LagSource } from '#shared/queue/group-lag.ts';
import { openLagSource } from '#shared/open/open-lag.ts';
import { startAdminPage } from '../admin/page.ts';
import type { CommandContext } from '../process/command.ts';
import { DrainEstimate, type LagTotals, totalsOf } from '../lag/drain.ts';
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

  --json            One line of JSON
  --watch           Again every two seconds, until it is interrupted
  --group NAME      Another consumer group than the configured one
  --max-seconds N   Exit code 1 if the oldest record is older
  --max-records N   Exit code 1 if there are more records
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
  const { group = given.config['kafka.group'] } = values;
  const context = { ...given, config: { ...given.config, 'kafka.group': group } };
  await using source = await openLagSource(context.config, context.clock);
  if (values.serve) return await serve(source, context);
  const write = values.json ? lagJson : lagTable;
  return await (values.watch ? watch(source, write, context) : once(source, write, limits, context));
}

async function once(
  source: LagSource,
  write: typeof lagJson,
  limits: Limits,
  { stdout, stderr, clock, signal }: CommandContext,
): Promise<number> {
  const estimate = new DrainEstimate();
  let lag = await source.sample();
  let drainSeconds = estimate.next(lag);
  if (drainSeconds > 0) {
    await clock.sleep(SECOND_SAMPLE_MS, signal).catch(() => undefined);
    if (!signal.aborted) lag = await source.sample();
    drainSeconds = estimate.next(lag);
  }
  const output = new Output({ stdout, stderr });
  await output.write(write(lag, drainSeconds));
  const over = overLimit(totalsOf(lag), limits);
  if (over !== null) await output.write(`sluice: ${over}\n`, stderr);
  return over === null ? 0 : 1;
}

async function watch(
  source: LagSource,
  write: typeof lagJson,
  { stdout, stderr, clock, signal }: CommandContext,
): Promise<number> {
  const estimate = new DrainEstimate();
  const output = new Output({ stdout, stderr });
  while (!signal.aborted && !output.closed) {
    const lag = await source.sample();
    const text = write(lag, estimate.next(lag));
    await output.write(write === lagTable && stdout.isTTY === true ? CLEAR_SCREEN + text : text);
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
