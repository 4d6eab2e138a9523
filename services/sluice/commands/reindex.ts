// `sluice reindex`: reads a range of the queue once more and indexes what the store lacks. By this process, also beside
// `sluice run`: the queue is only read, and the embedded store takes several writers.

import { parseArgs } from 'node:util';
import { planReindex, type ReindexPlan } from '#indexer/shells/reindex-plan.ts';
import { Reindex } from '#indexer/shells/reindex.ts';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import { openRewindSource } from '#shared/open/open-rewind.ts';
import { openStore } from '#shared/open/open-store.ts';
import type { RewindSource } from '#shared/queue/rewind-source.ts';
import { streamNameFault } from '#shared/store/elasticsearch/stream-name.ts';
import { messageLine } from '../output/message-line.ts';
import type { CommandContext } from '../process/command.ts';
import { timeArgument } from '../dead-letters/time-argument.ts';
import { errorsOnly } from '../output/errors-only.ts';
import { Output } from '../output/output.ts';
import { Progress } from '../output/progress.ts';
import { goneLines, notRead, notReadText, planText, progressText, reportJson, summaryText } from '../reindex/report.ts';

export const help = `Usage: sluice reindex --from TIME [--to TIME] [--into STREAM] [--late DURATION]
                      [--restart] [--dry-run] [--json]

Reads a range of the queue once more and indexes it, beside the indexers and without their offsets. Events keep
their ids: into the stream that they are in, only what is missing is added. What \`sluice erase\` has erased comes
back, if it is of the range and still in the queue. Killed and started again with the same times, it goes on.

Topics of others (kafka.sources) are not read. While their indexers are stopped, set the offsets of their groups back:
kafka-consumer-groups.sh --group GROUP.TOPIC --topic TOPIC --reset-offsets --to-datetime TIME --execute

  --from TIME      Events that Sluice took at or after: 10m, 2h30m (ago), 2026-03-01T12:00:00Z, or Unix seconds
  --to TIME        Events that it took before (default: now)
  --into STREAM    Into another data stream of Elasticsearch, such as logs-sluice-again
  --late DURATION  How long after --to the queue may have taken what is of the range, as when a forwarder's spool
                   held it (default: 1h)
  --restart        From the beginning, whatever an earlier one has done
  --dry-run        Tells what would be read, and does nothing
  --json           The result as one line of JSON

Exit codes: 0 done, 1 stopped, refused or gone in part, 2 wrong usage.
`;

const OPTIONS = {
  from: { type: 'string' },
  to: { type: 'string' },
  into: { type: 'string' },
  late: { type: 'string', default: '1h' },
  restart: { type: 'boolean', default: false },
  'dry-run': { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
} as const;

const DURATION = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/;

type Given = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];

export async function run(args: string[], context: CommandContext): Promise<number> {
  const { values } = parseArgs({ args, options: OPTIONS });
  const { config, stdout, stderr } = context;
  const range = rangeOf(values, context);
  const { into } = range;
  if (into !== undefined) {
    const fault = streamNameFault(into);
    if (fault !== null) throw new SluiceError('usage_wrong', `Cannot reindex into "${into}": ${fault}`);
    if ((config.store ?? (config['elasticsearch.url'] ? 'elasticsearch' : 'embedded')) === 'embedded')
      throw new SluiceError(
        'usage_wrong',
        'Cannot use --into with the embedded store: it has each event once, whatever the stream',
      );
  }
  const output = new Output({ stdout, stderr });
  const others = notRead(config['kafka.sources']);
  if (others.length > 0) await output.write(messageLine(notReadText(others)), stderr);
  await using source = await openRewindSource(config);
  const plan = await planReindex(source, range);
  await output.write(planText(plan), values['dry-run'] ? stdout : stderr);
  for (const line of goneLines(plan)) await output.write(messageLine(line), stderr);
  if (values['dry-run']) return 0;
  if (isRelative(values)) await output.write(againText(plan, into), stderr);
  const { reindex, stopped } = await work(context, { source, plan, into });
  const text = values.json
    ? reportJson(plan, reindex, { stopped, notRead: others })
    : summaryText(plan, reindex, stopped);
  await output.write(text);
  if (values.json && stopped !== null) await output.write(messageLine(stopped), stderr);
  return stopped !== null || reindex.counts.dead_lettered > 0 || reindex.lost + plan.lost > 0 ? 1 : 0;
}

interface Work {
  readonly source: RewindSource;
  readonly plan: ReindexPlan;
  readonly into: string | undefined;
}

async function work(
  { config, clock, signal, stderr }: CommandContext,
  { source, plan, into }: Work,
): Promise<{ reindex: Reindex; stopped: string | null }> {
  await using store = await openStore(config);
  await store.ping(signal);
  let warn = (_line: string): void => undefined;
  const log = errorsOnly((line) => warn(line));
  const parts = { config, store, clock, signal, source, plan, into, log, random: Math.random };
  const reindex = new Reindex({ ...parts, warn: (line) => warn(line) });
  using progress = new Progress({ stderr, clock }, () => progressText(plan, reindex));
  warn = (line) => progress.warn(line);
  try {
    await reindex.run();
    return { reindex, stopped: null };
  } catch (error) {
    return { reindex, stopped: reasonOf(error) };
  }
}

function rangeOf(values: Given, { config, clock }: CommandContext): Parameters<typeof planReindex>[1] {
  const nowMs = clock.epochMs();
  const { from, to, late, into, restart } = values;
  if (from === undefined)
    throw new SluiceError('usage_wrong', 'Cannot reindex: give --from; see sluice reindex --help');
  const fromMs = Date.parse(timeArgument('--from', from, nowMs));
  const toMs = to === undefined ? nowMs : Date.parse(timeArgument('--to', to, nowMs));
  if (fromMs >= toMs) throw new SluiceError('usage_wrong', 'Cannot reindex: --from is not before --to');
  if (!DURATION.test(late))
    throw new SluiceError('usage_wrong', `Cannot read --late "${late}": give a duration, such as 10m or 2h30m`);
  const lateMs = nowMs - Date.parse(timeArgument('--late', late, nowMs));
  const leadMs = config['indexer.clock_skew_ms'] + config['join.timeout_ms'];
  return { fromMs, toMs, leadMs, lateMs, into, restart };
}

/** Whether the same words mean another range later. */
function isRelative({ from = '', to }: Given): boolean {
  return to === undefined || DURATION.test(from) || DURATION.test(to);
}

function againText({ fromMs, toMs }: ReindexPlan, into: string | undefined): string {
  const times = [fromMs, toMs].map((ms) => new Date(ms).toISOString());
  const stream = into === undefined ? '' : ` --into ${into}`;
  return messageLine(`If it is interrupted, go on with: sluice reindex --from ${times[0]} --to ${times[1]}${stream}`);
}
