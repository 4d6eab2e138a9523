// `sluice logs`: like `docker logs`, over the store.

import { parseArgs } from 'node:util';
import { isRetryable, reasonOf, SluiceError } from '#shared/errors.ts';
import { fieldsOf, type Where } from '#shared/store/where.ts';
import { formatInstant, parseInstant } from '#shared/store/instant.ts';
import type { ReadableStore, StoredDocument } from '#shared/store/store.ts';
import { messageLine } from '../output/message-line.ts';
import type { CommandContext } from '../process/command.ts';
import { LogPrinter } from '../output/log-printer.ts';
import type { Output } from '../output/output.ts';
import type { Followed } from '../search/follow/follower.ts';
import { following } from '../search/follow/following.ts';
import { lastPages } from '../search/lines/last-pages.ts';
import { linesInRange } from '../search/lines/lines-in-range.ts';
import { timeArgument } from '../dead-letters/time-argument.ts';
import { countArgument } from '../search/count-argument.ts';
import { missingFields } from '../search/missing-fields.ts';
import { CONTEXT_MAX } from '../search/context-lines.ts';
import { CHOSEN_HELP, CHOSEN_OPTIONS, chosenWhere } from '../search/chosen.ts';
import { openSearched, type SearchedStore, URL_HELP, URL_OPTIONS } from '../remote/open-searched.ts';
import { GroupPrinter } from '../search/print-groups.ts';
import { readQuery } from '../search/read-query.ts';
import { PagedOutput } from '../output/pager.ts';
import { peopleView, VIEW_HELP, VIEW_OPTIONS } from '../output/view.ts';

export const help = `Usage: sluice logs [NAME] [OPTIONS]

Shows logs, oldest first. NAME is a container's name or id (four digits of it will do), a service
(also one of Compose or Swarm), a pod or a tag; * stands for anything in names. A NAME that the store
has never seen is an error; with -f it is waited for. Without NAME: everything. What a container wrote
to its standard error goes to standard error. As soon as there is a second container, service or tag,
each line begins with its name.

Options:
  -f, --follow        Go on as new lines come, until interrupted
  -n, --tail N        Only the last N lines; all or a negative number: all of them (default: all)
      --since TIME    Lines that came at or after: 10m, 2h30m (ago), 2026-03-01T12:00:00Z, or Unix seconds
      --until TIME    Lines that came at or before
      --where QUERY   Only lines of a query: 'status>=500 -level:debug'; see sluice search --help
${CHOSEN_HELP}
  -C, --context N     With the N lines before and after of the same source
  -t, --timestamps    Show when lines came, with nanoseconds
      --details       Show attributes, as key=value
      --json          Whole documents, one a line, as stored; all to standard output
${VIEW_HELP}
${URL_HELP}
      --config FILE   Configuration: which store
`;

const OPTIONS = {
  follow: { type: 'boolean', short: 'f', default: false },
  tail: { type: 'string', short: 'n', default: 'all' },
  since: { type: 'string' },
  until: { type: 'string' },
  where: { type: 'string' },
  context: { type: 'string', short: 'C', default: '0' },
  timestamps: { type: 'boolean', short: 't', default: false },
  details: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  ...CHOSEN_OPTIONS,
  ...VIEW_OPTIONS,
  ...URL_OPTIONS,
} as const;

interface Wanted {
  readonly query: Followed;
  readonly follow: boolean;
  /** Infinity: all. */
  readonly tail: number;
  /** Whether it is of documents: what is printed for machines is whole. */
  readonly countsDocuments: boolean;
  /** Lines before and after each. */
  readonly context: number;
  /** `until` as ms since the epoch; Infinity without. */
  readonly untilMs: number;
}

export async function run(args: string[], context: CommandContext): Promise<number> {
  const { values, positionals } = parseArgs({
    args: withNegativeCounts(args),
    options: OPTIONS,
    allowPositionals: true,
  });
  const wanted = wantedOf(values, positionals, context.clock.epochMs());
  await using paged = await PagedOutput.open(context, wanted.follow || values['no-pager'] ? 'none' : 'both');
  const { output } = paged;
  const printer = new LogPrinter(output, { ...values, people: peopleView(values, context, wanted.query.where) });
  const warn = (message: string): void => void output.write(messageLine(message), output.stderr);
  const { clock, signal } = context;
  try {
    await using store = await openSearched(context.config, { url: values.url, clock, warn, signal });
    if (wanted.follow) await follow(store, wanted, { context, output, printer });
    else {
      let found = false;
      const { context: lines } = wanted;
      const groups =
        lines === 0 ? null : new GroupPrinter({ store, lines, signal, output, printer, isJson: values.json });
      for await (const page of existing(printedFrom(store, wanted), wanted, { signal: context.signal, output })) {
        found ||= page.length > 0;
        await (groups ?? printer).print(page);
      }
      if (!found && (await isNowhere(store, wanted.query, context.signal))) {
        const what = `Cannot show logs of "${wanted.query.name}": the store has no container, service, pod or tag of that name`;
        await output.write(messageLine(`${what}; look at the spelling, or wait for it with -f`), output.stderr);
        return 1;
      }
      const { where, ...range } = wanted.query;
      const missing =
        found || where === undefined ? [] : await missingFields(store, fieldsOf(where), range, context.signal);
      for (const line of missing) await output.write(messageLine(line), output.stderr);
    }
    return 0;
  } catch (error) {
    if (!context.signal.aborted) throw error;
    // Following ends by an interrupt; anything else that was interrupted is not finished.
    return wanted.follow ? 0 : 1;
  }
}

type Given = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];

function wantedOf(values: Given, positionals: readonly string[], nowMs: number): Wanted {
  const [name, ...more] = positionals;
  if (more.length > 0)
    throw new SluiceError('usage_wrong', 'Cannot show logs: give one NAME; a * in it stands for anything');
  const until = values.until === undefined ? undefined : justAfter(timeArgument('--until', values.until, nowMs));
  const context = contextArgument(values.context);
  if (context > 0 && values.follow)
    throw new SluiceError(
      'usage_wrong',
      'Cannot show logs: give -C or -f, not both; what comes after is not there yet',
    );
  const where = chosenWhere(values.where === undefined ? undefined : whereOf(values.where, nowMs), values, nowMs);
  return {
    follow: values.follow,
    tail: countArgument('--tail', values.tail),
    countsDocuments: values.json,
    context,
    untilMs: until === undefined ? Infinity : Date.parse(until),
    query: {
      // Lines of one source stay in the order in which they came, whatever times they tell.
      ...(name === undefined ? { by: 'arrival_time' } : { name: name.replace(/^\//, ''), by: 'arrival' }),
      ...(values.since === undefined ? {} : { since: timeArgument('--since', values.since, nowMs) }),
      ...(until === undefined ? {} : { until }),
      ...(where === undefined ? {} : { where }),
      ...(values.tenant === undefined ? {} : { tenant: values.tenant }),
    },
  };
}

/** The next nanosecond: the store leaves out what came at the end of a range, and Docker does not. */
function justAfter(time: string): string {
  return formatInstant((parseInstant(time) ?? 0n) + 1n);
}

function whereOf(text: string, nowMs: number): Where {
  const { where, stages } = readQuery(text, nowMs);
  if (stages.length > 0)
    throw new SluiceError('usage_wrong', 'Cannot show logs: a bar has no place in --where; see sluice search');
  return where;
}

/** parseArgs takes `-1` for an option; docker's users write `--tail -1`. */
function withNegativeCounts(args: readonly string[]): string[] {
  const joined: string[] = [];
  for (const argument of args) {
    const last = joined.at(-1);
    if (/^-\d+$/.test(argument) && (last === '--tail' || last === '-n'))
      joined[joined.length - 1] = `--tail=${argument}`;
    else joined.push(argument);
  }
  return joined;
}

/** Whether nothing was ever stored under the name, whatever times were asked for. */
async function isNowhere(store: ReadableStore, { name }: Followed, signal: AbortSignal): Promise<boolean> {
  if (name === undefined) return false;
  return (await store.search({ name, order: 'newest', limit: 1 }, signal)).length === 0;
}

/** A number of lines. */
export function contextArgument(text: string): number {
  if (!/^\d{1,9}$/.test(text) || Number(text) > CONTEXT_MAX)
    throw new SluiceError('usage_wrong', `Cannot read --context "${text}": give a number up to ${CONTEXT_MAX}`);
  return Number(text);
}

interface Reading {
  readonly signal: AbortSignal;
  readonly output: Output;
}

/** Of documents where these are wanted, else of the lines that were printed. */
function printedFrom(store: ReadableStore, { query, countsDocuments }: Wanted): ReadableStore {
  const isBounded = query.since !== undefined || query.until !== undefined;
  return isBounded && !countsDocuments ? linesInRange(store) : store;
}

/** Pages of what the store has by now, oldest first. Ends early when nobody reads. */
async function* existing(
  store: ReadableStore,
  wanted: Wanted,
  { signal, output }: Reading,
): AsyncGenerator<StoredDocument[]> {
  const { query, tail, countsDocuments } = wanted;
  if (tail === 0) return;
  const pages =
    tail === Infinity
      ? store.pages({ ...query, order: 'oldest', limit: Infinity }, signal)
      : lastPages(store, { ...query, limit: tail }, { signal, countsDocuments });
  for await (const { documents } of pages) {
    yield [...documents];
    if (output.closed) return;
  }
}

interface Following {
  readonly context: CommandContext;
  readonly output: Output;
  readonly printer: LogPrinter;
}

async function follow(store: SearchedStore, wanted: Wanted, { context, output, printer }: Following): Promise<void> {
  const { signal, clock } = context;
  const { query } = wanted;
  const refreshIntervalMs = (await store.foundAfterMs?.(signal)) ?? 0;
  const printed = printedFrom(store, wanted);
  const follower = following(printed, query, { clock, refreshIntervalMs });
  // What is there is marked as seen first, and shown then. So what comes in between is shown now or by a poll.
  await follower.start(signal);
  if (await isNowhere(store, query, signal)) {
    await output.write(messageLine(`Nothing of "${query.name}" is in the store yet; waiting for it`), output.stderr);
  }
  for await (const page of existing(printed, wanted, { signal, output })) {
    for (const document of page) follower.see(document);
    await printer.print(page);
  }
  let reported = '';
  let isAheadReported = false;
  while (!output.closed) {
    const before = clock.monotonicMs();
    // A last poll after the end of the time that was asked for, when all of it can be found.
    const last = clock.epochMs() > wanted.untilMs + LATE_MS + refreshIntervalMs;
    try {
      for await (const page of follower.poll(signal)) await printer.print(page);
      reported = '';
    } catch (error) {
      if (signal.aborted || !isRetryable(error)) throw error;
      const reason = reasonOf(error);
      if (reason !== reported) await output.write(messageLine(`${reason}; still trying`), output.stderr);
      reported = reason;
    }
    if (follower.aheadMs > AHEAD_MS && !isAheadReported) {
      isAheadReported = true;
      await output.write(aheadText(follower.aheadMs), output.stderr);
    }
    if (last) return;
    await follower.rest(clock.monotonicMs() - before, signal);
  }
}

/** Less does no harm: see follower.ts. */
const AHEAD_MS = 60_000;

function aheadText(aheadMs: number): string {
  const by = `${Math.round(aheadMs / 60_000)} minutes ahead of this machine's clock`;
  return messageLine(
    `event.ingested in the store is ${by}, so lines may come late; set the clocks of the indexers, or this one`,
  );
}

/** How long after `--until` documents of before may still turn up. */
const LATE_MS = 10_000;
