// `sluice search`: documents of a query, newest first, so that nobody has to scroll to the latest and `| head` makes
// sense; or what is counted of them.

import { parseArgs } from 'node:util';
import { SluiceError } from '#shared/errors.ts';
import { stageFields } from '#shared/store/query/stages.ts';
import { fieldsOf } from '#shared/store/where.ts';
import type { StoreQuery } from '#shared/store/store.ts';
import { messageLine } from '../output/message-line.ts';
import type { CommandContext } from '../process/command.ts';
import { Output } from '../output/output.ts';
import { PagedOutput } from '../output/pager.ts';
import type { PeopleViewOptions } from '../output/people-view.ts';
import { peopleView, VIEW_HELP, VIEW_OPTIONS } from '../output/view.ts';
import { lastPages } from '../search/lines/last-pages.ts';
import { contextArgument } from './logs.ts';
import { timeArgument } from '../dead-letters/time-argument.ts';
import { CHOSEN_HELP, CHOSEN_OPTIONS, chosenWhere } from '../search/chosen.ts';
import { countArgument } from '../search/count-argument.ts';
import { missingFields } from '../search/missing-fields.ts';
import { openSearched, URL_HELP, URL_OPTIONS } from '../remote/open-searched.ts';
import { GroupPrinter } from '../search/print-groups.ts';
import { readQuery } from '../search/read-query.ts';
import { ResultPrinter } from '../search/result-printer.ts';
import { type Format, printResult, type Reading } from '../search/result.ts';

export const help = `Usage: sluice search QUERY [OPTIONS]

Finds documents, newest first. All parts of QUERY must apply:

  timeout upstream            both words, in the message or in attributes; case does not matter
  "connection refused"        the words in a row;  refus*  the beginning of a word
  level:error                 a field: log.level; also container, service, host, pod, stream, tag, …
  status:500  url:"/a b"      any other name is a key that senders sent
  container:web-*  user:*     a pattern; the field exists
  status>=500  took<0.5       a range, of any key;  took:[100 TO 500]  took:{0 TO 1]
  @timestamp>=now-1h          a time: now-15m, 2026-03-01, 2026-03-01T12:00:00Z
  a OR b   -a   NOT a   (a OR b) c   level:(error OR warn)

Behind a bar, what is made of them:

  | count by log.level, 5m                       | top 5 container.name
  | stats avg(took), p99(took) by url.path       | sort -took   | fields @timestamp, message   | head 20

  sluice search 'status>=500 -url:/health*' --since 1h
  sluice search 'level:error | count by container.name, 5m' --since 1d

What means nothing of that is text. Quote the query for the shell, and in it text that looks like one of these; write --
before a query that begins with a minus. docs/search.md has the whole of it.

Options:
  -n, --limit N       At most N documents or rows, or all (default: 100 documents, all rows)
      --since TIME    At or after: 10m, 2h30m (ago), 2026-03-01T12:00:00Z, or Unix seconds
      --until TIME    Before
      --name NAME     Of one container, service, pod or tag; * stands for anything
${CHOSEN_HELP}
  -C, --context N     With the N lines before and after of the same source; then the oldest first
      --json          Whole documents, one a line, as stored; behind a bar: a row a line
      --csv           Rows as CSV, with a header
${VIEW_HELP}
${URL_HELP}
      --config FILE   Configuration: which store
`;

const OPTIONS = {
  limit: { type: 'string', short: 'n' },
  since: { type: 'string' },
  until: { type: 'string' },
  name: { type: 'string' },
  json: { type: 'boolean', default: false },
  csv: { type: 'boolean', default: false },
  context: { type: 'string', short: 'C', default: '0' },
  ...CHOSEN_OPTIONS,
  ...VIEW_OPTIONS,
  ...URL_OPTIONS,
} as const;

const LIMIT_DEFAULT = 100;

export async function run(args: string[], context: CommandContext): Promise<number> {
  const { values, positionals } = parseArgs({ args, options: OPTIONS, allowPositionals: true });
  if (positionals.length === 0)
    throw new SluiceError('usage_wrong', 'Cannot search: give a QUERY; see sluice search --help');
  if (values.json && values.csv) throw new SluiceError('usage_wrong', 'Cannot search: give --json or --csv, not both');
  const { signal, clock, config } = context;
  const nowMs = clock.epochMs();
  const { where: asked, stages } = readQuery(positionals.join(' '), nowMs);
  const where = chosenWhere(asked, values, nowMs) ?? asked;
  const lines = contextArgument(values.context);
  if (lines > 0 && stages.length > 0)
    throw new SluiceError('usage_wrong', 'Cannot search: -C shows documents, and behind a bar there are rows');
  if (values.csv && stages.length === 0)
    throw new SluiceError('usage_wrong', 'Cannot search: --csv needs columns, such as | fields @timestamp, message');
  const range: Pick<StoreQuery, 'name' | 'tenant' | 'since' | 'until'> = {
    ...(values.name === undefined ? {} : { name: values.name }),
    ...(values.tenant === undefined ? {} : { tenant: values.tenant }),
    ...(values.since === undefined ? {} : { since: timeArgument('--since', values.since, nowMs) }),
    ...(values.until === undefined ? {} : { until: timeArgument('--until', values.until, nowMs) }),
  };
  const query: Omit<StoreQuery, 'limit'> = { ...range, where, order: 'newest' };
  const isCounted = stages[0]?.kind === 'stats';
  const limit =
    values.limit === undefined ? (isCounted ? Infinity : LIMIT_DEFAULT) : countArgument('--limit', values.limit);
  const warnings = new Set<string>();
  const warn = (message: string): void => void warnings.add(message);
  const format: Format = values.json ? 'json' : values.csv ? 'csv' : 'table';
  const people = peopleView(values, context, asked);
  try {
    await using store = await openSearched(config, { url: values.url, clock, warn, signal });
    const wanted = { store, query, stages, limit, format, clock, signal, lines, people };
    const { found, isRead } = await printPaged(wanted, context, values['no-pager']);
    const output = new Output(context);
    if (found >= limit && stages.length === 0 && output.stderr.isTTY === true)
      await output.write('(there may be more: -n)\n', output.stderr);
    // With fewer than asked for, everything was looked at anyway.
    const isAll = found < limit || isCounted;
    const missing =
      isAll && isRead ? await missingFields(store, [...fieldsOf(where), ...stageFields(stages)], range, signal) : [];
    for (const line of [...warnings, ...missing]) await output.write(messageLine(line), output.stderr);
    return 0;
  } catch (error) {
    if (signal.aborted) return 1;
    throw error;
  }
}

interface Documents extends Reading {
  /** Round each, on either side. */
  readonly lines: number;
  readonly people: PeopleViewOptions | null;
}

type Wanted = Omit<Documents, 'output'>;

/** How many documents were found, and whether somebody has read to the end. */
async function printPaged(wanted: Wanted, context: CommandContext, isPlain: boolean) {
  await using paged = await PagedOutput.open(context, isPlain ? 'none' : 'stdout');
  const { output } = paged;
  const found = await (wanted.stages.length === 0 ? printDocuments : printResult)({ ...wanted, output });
  return { found, isRead: !output.closed };
}

async function printDocuments({ store, query, limit, lines, people, format, output, signal }: Documents) {
  const json = format === 'json';
  const results = new ResultPrinter(output, { json, people });
  const printer =
    lines === 0 ? results : new GroupPrinter({ store, lines, signal, output, printer: results, isJson: json });
  const pages =
    lines === 0
      ? store.pages({ ...query, limit }, signal)
      : lastPages(store, { ...query, limit }, { signal, countsDocuments: true });
  let found = 0;
  for await (const { documents } of pages) {
    await printer.print(documents);
    found += documents.length;
    if (output.closed) break;
  }
  return found;
}
