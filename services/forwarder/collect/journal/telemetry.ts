// What the collector of the journal reports. Nothing of an entry is a label; a cursor says nothing of what is in one.

import type { Log } from '#shared/log.ts';
import type { Metrics } from '#shared/metrics.ts';

export interface JournalFigures {
  /** Whether journalctl runs, and prints the journal. */
  readonly isReading: boolean;
  readonly behindSeconds: number;
}

/** Why journalctl is started again. */
const RESTARTS = ['ended', 'missing', 'silent', 'malformed', 'too_large', 'cursor_lost', 'unanswered'] as const;
export type Restart = (typeof RESTARTS)[number];

/** The same trouble is told so often. */
const TOLD_MS = 300_000;

export class JournalTelemetry {
  readonly #log: Log;
  readonly #read;
  readonly #passed;
  readonly #lost;
  readonly #cursorsLost;
  readonly #restarts;
  readonly #toldMs = new Map<string, number>();

  constructor(metrics: Metrics, log: Log, figures: () => JournalFigures) {
    this.#log = log;
    this.#read = metrics.counter('collect_journal_entries_total', 'Entries of the journal that were read.');
    this.#passed = metrics.counter(
      'collect_journal_passed_entries_total',
      'Entries of the journal that `units`, `exclude` and `priority` leave out.',
    );
    this.#lost = metrics.counter(
      'collect_journal_lost_entries_total',
      'Entries of the journal that were gone before they were read, or cannot be read, as far as their numbers say.',
    );
    this.#cursorsLost = metrics.counter(
      'collect_journal_cursors_lost_total',
      'Times that the place in the journal was gone, and reading went on at the oldest entry.',
    );
    this.#restarts = metrics.counter(
      'collect_journal_restarts_total',
      'Times that journalctl ended, or was ended, and was started again.',
      ['reason'],
    );
    for (const reason of RESTARTS) this.#restarts.add(0, reason);
    metrics.gauge('collect_journal_reading', 'Whether journalctl runs, 0 or 1.', [], () => [
      [figures().isReading ? 1 : 0],
    ]);
    metrics.gauge(
      'collect_journal_behind_seconds',
      'How long ago the entry was written that is being read, or waits longest for the queue; 0 where all is held.',
      [],
      () => [[figures().behindSeconds]],
    );
  }

  started(detail: { readonly from: 'the beginning' | 'the end' | 'where it was left' }): void {
    this.#log.info('collecting_journal', detail);
  }

  read(isWanted: boolean): void {
    this.#read.add(1);
    if (!isWanted) this.#passed.add(1);
  }

  /** Numbers of entries that did not come. */
  missing(entries: number): void {
    this.#lost.add(entries);
    if (this.#isDue('missing'))
      this.#log.error('journal_entries_lost', { entries, effect: 'they were gone before they were read' });
  }

  cursorLost(cursor: string): void {
    this.#cursorsLost.add(1);
    this.#log.error('journal_cursor_lost', {
      cursor,
      effect: 'rotation may have taken entries that were not read; reading goes on at the oldest entry there is',
    });
  }

  restart(reason: Restart, { why, waitMs }: { readonly why: string; readonly waitMs: number }): void {
    this.#restarts.add(1, reason);
    if (this.#isDue(`${reason}: ${why}`))
      this.#log.warn('journal_reading_interrupted', { reason, why, retry_ms: Math.round(waitMs) });
  }

  /** It is in the dead letters. */
  unreadable(reason: string, cursor: string): void {
    this.#log.error('journal_entry_unreadable', { reason, cursor, effect: 'its beginning is in the dead letters' });
  }

  complained(line: string): void {
    this.#log.warn('journalctl_says', { line });
  }

  #isDue(what: string): boolean {
    const nowMs = performance.now();
    if (nowMs - (this.#toldMs.get(what) ?? Number.NEGATIVE_INFINITY) < TOLD_MS) return false;
    if (this.#toldMs.size === 100) this.#toldMs.clear();
    this.#toldMs.set(what, nowMs);
    return true;
  }
}
