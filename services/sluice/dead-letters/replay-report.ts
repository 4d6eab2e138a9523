// What a replay tells: how far it is, and what became of the letters. One form for the terminal and for the way between two processes. Pure.

import type { Replay, ReplayCounts } from '#indexer/replay.ts';

export interface ReplayReport extends ReplayCounts {
  /** Why letters cannot be replayed, and how many of them. */
  readonly reasons: readonly (readonly [reason: string, letters: number])[];
  /** Why the store takes nothing now; null while it does. */
  readonly trouble: string | null;
  /** Why it ended before all was done; null otherwise. */
  readonly stopped: string | null;
}

export function reportOf(
  { counts, impossible, trouble }: Pick<Replay, 'counts' | 'impossible' | 'trouble'>,
  stopped: string | null,
): ReplayReport {
  return { ...counts, reasons: [...impossible], trouble, stopped };
}

export function progressLine({ indexed, present, failed, trouble }: ReplayReport): string {
  const waits = trouble === null ? '' : `; the store does not take all: ${trouble}`;
  return `${indexed + present + failed} letters so far${waits}`;
}

export function summary(report: ReplayReport): string {
  const { indexed, present, failed, impossible, reasons, stopped } = report;
  const reasonLines = reasons.map(([reason, letters]) => `  ${letters} cannot be replayed: ${reason}\n`);
  const counts = `${indexed} indexed, ${present} were there already, ${failed} refused again, ${impossible} cannot be replayed`;
  return `${counts}\n${reasonLines.join('')}${stopped === null ? '' : `${stopped}\n`}`;
}
