// The report of a replay: how far it is, and what became of the dead letters. The terminal and another process get the
// same form. Texts from the queue and the store are made harmless to a terminal, and one line. Pure.

import type { Replay, ReplayCounts } from '#indexer/shells/replay.ts';
import { harmless, oneLine } from '#shared/harmless.ts';

export interface ReplayReport extends ReplayCounts {
  /** Why letters cannot be replayed, and how many of them. */
  readonly reasons: readonly (readonly [reason: string, letters: number])[];
  /** Why events were refused again, and how many of them. */
  readonly refusals: readonly (readonly [reason: string, events: number])[];
  /** Why the store takes nothing now; null while it does. */
  readonly unhealthyReason: string | null;
  /** Why it ended before all was done; null otherwise. */
  readonly stopped: string | null;
}

export function reportOf(
  {
    counts,
    impossible,
    refused,
    unhealthyReason,
  }: Pick<Replay, 'counts' | 'impossible' | 'refused' | 'unhealthyReason'>,
  stopped: string | null,
): ReplayReport {
  return { ...counts, reasons: [...impossible], refusals: [...refused], unhealthyReason, stopped };
}

/** Whoever can write to the topic chooses the reason of a dead letter. */
export function readable(text: string): string {
  return harmless(oneLine(text));
}

export function progressLine({ indexed, present, failed, unhealthyReason }: ReplayReport): string {
  const waits = unhealthyReason === null ? '' : `; the store does not take all: ${readable(unhealthyReason)}`;
  return `${indexed + present + failed} letters so far${waits}`;
}

export function summary(report: ReplayReport): string {
  const { indexed, present, failed, impossible, reasons, refusals, stopped } = report;
  const reasonLines = reasons.map(([reason, letters]) => `  ${letters} cannot be replayed: ${readable(reason)}\n`);
  const refusalLines = refusals.map(([reason, events]) => `  ${events} refused again: ${readable(reason)}\n`);
  const counts = `${indexed} indexed, ${present} were there already, ${failed} refused again, ${impossible} cannot be replayed`;
  return `${counts}\n${refusalLines.join('')}${reasonLines.join('')}${stopped === null ? '' : `${readable(stopped)}\n`}`;
}
