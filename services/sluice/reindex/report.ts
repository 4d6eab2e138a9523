// What `sluice reindex` says: what it will read, how far it is, and what became of the events. Pure.

import type { ReindexPlan } from '#indexer/shells/reindex-plan.ts';
import type { Reindex } from '#indexer/shells/reindex.ts';
import type { SourceRule } from '#shared/config/settings/sources.ts';
import { harmless, oneLine } from '#shared/harmless.ts';

const timeOf = (ms: number): string => new Date(ms).toISOString();

/** Topics of others, which the range does not include: their names, or the patterns of them. */
export function notRead(sources: readonly SourceRule[] = []): string[] {
  return sources.flatMap(({ topic, pattern }) => topic ?? pattern ?? []);
}

export function notReadText(names: readonly string[]): string {
  const listed = names.map(readable).join(', ');
  return `The topics of kafka.sources are not read: ${listed}; see "Reading the queue again" in docs/operations.md`;
}

export function planText({ fromMs, toMs, records, done, spans }: ReindexPlan): string {
  const parts = spans.filter(({ next, end }) => next < end).length;
  const before = done > 0 ? `; ${done} of them were read before, by one that ended early` : '';
  return `${timeOf(fromMs)} to ${timeOf(toMs)}: ${records} records of the queue in ${parts} partitions${before}\n`;
}

/** What retention has taken, a line each. */
export function goneLines({ cut, lost }: Pick<ReindexPlan, 'cut' | 'lost'>): string[] {
  const lines = cut.map(
    ({ partition, low }) =>
      `Partition ${partition} begins at offset ${low}: what the queue took before is gone, and cannot be reindexed`,
  );
  return lost > 0 ? [...lines, lostText(lost)] : lines;
}

function lostText(lost: number): string {
  return `${lost} records are gone: the queue's retention took them before they could be read again`;
}

type Reported = Pick<Reindex, 'counts' | 'lost' | 'refused' | 'unfinishedLines' | 'recordsRead' | 'unhealthyReason'>;

export function progressText(plan: ReindexPlan, { counts, recordsRead, unhealthyReason }: Reported): string {
  const percent = plan.records === 0 ? 100 : Math.floor((100 * recordsRead) / plan.records);
  const waits = unhealthyReason === null ? '' : `; the store does not take all: ${readable(unhealthyReason)}`;
  const { indexed, deduplicated } = counts;
  return `${percent} % of ${plan.records} records read, ${indexed} events added, ${deduplicated} were there${waits}`;
}

/** `stopped`: why it ended before all was done; null otherwise. */
export function summaryText(plan: ReindexPlan, reindex: Reported, stopped: string | null): string {
  const { counts, refused, lost, unfinishedLines } = reindex;
  const lines = [
    `${counts.indexed} events added, ${counts.deduplicated} were there already, ${counts.dead_lettered} refused`,
    ...Array.from(refused, ([reason, events]) => `  ${events} refused: ${readable(reason)}`),
    ...(unfinishedLines > 0
      ? [`${unfinishedLines} split lines are not complete yet: left to the indexers, which have them in hand`]
      : []),
    ...(plan.lost + lost > 0 ? [lostText(plan.lost + lost)] : []),
    ...(stopped === null ? [] : [readable(stopped)]),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

export function reportJson(
  plan: ReindexPlan,
  { counts, lost, unfinishedLines, recordsRead }: Reported,
  { stopped, notRead }: { readonly stopped: string | null; readonly notRead: readonly string[] },
): string {
  return `${JSON.stringify({
    from: timeOf(plan.fromMs),
    to: timeOf(plan.toMs),
    records: plan.records,
    records_read: recordsRead,
    records_lost: plan.lost + lost,
    indexed: counts.indexed,
    present: counts.deduplicated,
    refused: counts.dead_lettered,
    unfinished_lines: unfinishedLines,
    not_read: notRead,
    done: stopped === null,
  })}\n`;
}

function readable(text: string): string {
  return harmless(oneLine(text));
}
