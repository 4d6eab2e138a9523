// `sluice erase`: counts what would go, and with --yes erases it from the store and the dead letters. Also beside
// `sluice run`, which erases the dead letters of its queue itself.

import { parseArgs } from 'node:util';
import { SluiceError } from '#shared/errors.ts';
import { openEraser } from '#shared/open/open-eraser.ts';
import { openLagSource } from '#shared/open/open-lag.ts';
import type { EraseQuery, StoreEraser } from '#shared/store/erase.ts';
import { parseQueryText } from '#shared/store/query-text.ts';
import { parseQuery } from '#shared/store/query/parser.ts';
import { messageLine } from '../output/message-line.ts';
import { timeArgument } from '../dead-letters/time-argument.ts';
import { findDeadLetters } from '../erase/dead-letters.ts';
import { eraseFindings } from '../erase/passes.ts';
import { unindexed } from '../erase/unindexed.ts';
import { eraseJson, type EraseFindings, findingsText, isDone, resultText, unreachedLines } from '../erase/report.ts';
import { Output } from '../output/output.ts';
import type { CommandContext } from '../process/command.ts';

export const help = `Usage: sluice erase (--tenant T | --container NAME | --query Q | --all)…
                    [--since TIME] [--until TIME] [--yes] [--json]

Erases events from the store and from the dead letters. Without --yes it only tells what would go. Of several
conditions all must apply. It cannot reach the queue, snapshots, spools, and dead letters in Kafka;
it says so, and what to do.

  --tenant T        Events of this tenant
  --container NAME  Of containers of this name, with * for anything, or of this id (12 digits of it will do)
  --query Q         Of which the text holds all words and "phrases" of Q; no fields, no operators
  --all             Of all; only so without a condition
  --since TIME      Events at or after: 10m, 2h30m (ago), 2026-03-01T12:00:00Z, or Unix seconds
  --until TIME      Events before
  --dry-run         Tells what would be erased, and does nothing (the default)
  --yes             Erases it
  --json            The result as one line of JSON

Exit codes: 0 done, also where nothing was found; 1 something of it is left; 2 wrong usage.
`;

const OPTIONS = {
  tenant: { type: 'string', multiple: true },
  container: { type: 'string', multiple: true },
  query: { type: 'string', multiple: true },
  all: { type: 'boolean', default: false },
  since: { type: 'string' },
  until: { type: 'string' },
  'dry-run': { type: 'boolean', default: false },
  yes: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
} as const;

type Given = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];

export async function run(args: string[], context: CommandContext): Promise<number> {
  const { values } = parseArgs({ args, options: OPTIONS });
  const query = queryOf(values, context.clock.epochMs());
  const { config, clock, stdout, stderr } = context;
  if (values.yes && values['dry-run'])
    throw new SluiceError('usage_wrong', 'Cannot erase: --dry-run and --yes exclude each other');
  const output = new Output({ stdout, stderr });
  const { yes, json } = values;
  await using eraser = await openEraser(config, { clock, readOnly: !yes });
  const findings = await find(eraser, query, context);
  if (!json) await output.write(findingsText(findings));
  const isFound = findings.documents + (findings.deadLetters?.letters ?? 0) > 0;
  const result = yes && isFound ? await eraseFindings(eraser, { query, findings, context }) : null;
  if (json) await output.write(eraseJson(findings, result, yes));
  else if (result !== null) await output.write(resultText(result));
  else if (isFound) await output.write('Nothing was erased; add --yes to erase it\n');
  if (!json) for (const line of unreachedLines(findings)) await output.write(messageLine(line), stderr);
  return yes && !isDone(findings, result) ? 1 : 0;
}

async function find(eraser: StoreEraser, query: EraseQuery, context: CommandContext): Promise<EraseFindings> {
  const { config, clock, signal, stderr } = context;
  const warn = (line: string): void => void stderr.write(messageLine(line));
  const queueKind = config.queue ?? (config['kafka.brokers'] === undefined ? 'embedded' : 'kafka');
  return {
    documents: await eraser.count(query, signal),
    examples: await eraser.examples(query, signal),
    unreachable: await eraser.unreachable(signal),
    deadLetters: await findDeadLetters(context, query, warn),
    queueKind,
    hasSources: (config['kafka.sources'] ?? []).length > 0,
    ...(await lagOf(config, clock).catch(() => ({ lag: null, lagFailures: [] }))),
  };
}

async function lagOf(
  config: CommandContext['config'],
  clock: CommandContext['clock'],
): Promise<Pick<EraseFindings, 'lag' | 'lagFailures'>> {
  await using source = await openLagSource(config, clock);
  return await unindexed(source);
}

/** Throws usage_wrong where it would mean everything and that was not said. */
function queryOf(values: Given, nowMs: number): EraseQuery {
  const tenant = once('--tenant', values.tenant);
  const container = once('--container', values.container)?.replace(/^\//, '');
  const text = once('--query', values.query);
  const isAny = tenant !== undefined || container !== undefined || text !== undefined;
  if (text !== undefined && parseQueryText(text).length === 0 && !values.all)
    throw new SluiceError('usage_wrong', 'Cannot erase: --query holds no word, and would mean everything; say --all');
  if (text !== undefined && !isOfWords(text, nowMs))
    throw new SluiceError(
      'usage_wrong',
      `Cannot erase: --query takes words and "phrases" only, and sluice search finds something else by this; quote it`,
    );
  if (container !== undefined && /^\**$/.test(container) && !values.all)
    throw new SluiceError('usage_wrong', 'Cannot erase: --container means everything; say --all');
  if (tenant === '') throw new SluiceError('usage_wrong', 'Cannot erase: --tenant is empty');
  if (!isAny && !values.all)
    throw new SluiceError(
      'usage_wrong',
      'Cannot erase: give --tenant, --container or --query, or --all for everything',
    );
  return {
    ...(tenant !== undefined && { tenant }),
    ...(container !== undefined && { container }),
    ...(text !== undefined && { text }),
    ...(values.since !== undefined && { since: timeArgument('--since', values.since, nowMs) }),
    ...(values.until !== undefined && { until: timeArgument('--until', values.until, nowMs) }),
  };
}

/** Whether a search takes the text for words too: what is erased is what it shows. */
function isOfWords(text: string, nowMs: number): boolean {
  const parsed = parseQuery(text, { nowMs });
  if ('mistake' in parsed || parsed.stages.length > 0) return false;
  const { where } = parsed;
  const parts = where.kind === 'and' ? where.nodes : [where];
  return parts.every(({ kind }) => kind === 'words' || kind === 'all');
}

/** Of two, one would be left out without a word. */
function once(option: string, given: readonly string[] | undefined): string | undefined {
  if (given !== undefined && given.length > 1)
    throw new SluiceError('usage_wrong', `Cannot erase: ${option} is given twice; run it once for each`);
  return given?.[0];
}
