// A lag as people and scripts read it: a table, or one line of JSON. Pure.

import { type GroupLag, lagRecords, lagSeconds } from '#shared/queue/group-lag.ts';
import { totalsOf } from './drain.ts';

/** `drainSeconds`: Infinity where the lag does not shrink. */
export function lagJson(lag: GroupLag, drainSeconds: number): string {
  const { group, topic, atMs, members, retentionMs } = lag;
  const { records, seconds } = totalsOf(lag);
  const partitions = lag.partitions.map((partition) => ({
    partition: partition.partition,
    low: partition.low,
    next: partition.next,
    high: partition.high,
    records: lagRecords(partition),
    seconds: lagSeconds(partition, atMs),
    oldest: partition.oldestMs === null ? null : new Date(partition.oldestMs).toISOString(),
  }));
  return `${JSON.stringify({
    group,
    topic,
    at: new Date(atMs).toISOString(),
    members,
    records,
    seconds,
    drain_seconds: Number.isFinite(drainSeconds) ? Math.round(drainSeconds * 10) / 10 : null,
    retention_seconds: retentionMs === null ? null : retentionMs / 1000,
    partitions,
  })}\n`;
}

const HEADINGS = ['PARTITION', 'NEXT', 'END', 'RECORDS', 'SECONDS', 'OLDEST'] as const;

export function lagTable(lag: GroupLag, drainSeconds: number): string {
  const { records, seconds } = totalsOf(lag);
  const rows = lag.partitions.map((partition) => [
    String(partition.partition),
    String(partition.next),
    String(partition.high),
    String(lagRecords(partition)),
    lagSeconds(partition, lag.atMs).toFixed(1),
    partition.oldestMs === null ? '-' : new Date(partition.oldestMs).toISOString(),
  ]);
  const all = [[...HEADINGS], ...rows, ['all', '', '', String(records), seconds.toFixed(1), '']];
  const widths = HEADINGS.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const lines = all.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
  return `${headLine(lag)}\n${lines.join('\n')}\n${footLine(lag, records, seconds, drainSeconds)}\n`;
}

function headLine({ group, topic, members }: GroupLag): string {
  const who =
    members === null ? '' : `, ${members === 0 ? 'no member' : members === 1 ? '1 member' : `${members} members`}`;
  return `Group ${group} on ${topic}${who}`;
}

function footLine({ retentionMs }: GroupLag, records: number, seconds: number, drainSeconds: number): string {
  if (records === 0) return 'Caught up.';
  const drain = Number.isFinite(drainSeconds)
    ? `Caught up in ${spanText(drainSeconds)} at this rate`
    : 'It does not shrink';
  if (retentionMs === null) return `${drain}.`;
  const share = (100_000 * seconds) / retentionMs;
  return `${drain}; the topic keeps ${spanText(retentionMs / 1000)}, of which ${share.toFixed(share < 10 ? 1 : 0)} % are used up.`;
}

function spanText(seconds: number): string {
  if (seconds < 120) return `${Math.ceil(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}
