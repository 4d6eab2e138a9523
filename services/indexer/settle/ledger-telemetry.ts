// What becomes of events, as metrics and log lines: every outcome of the ledger, and the dead letters. The counters are
// one side of the ledger's equation, so nothing else may write to them.

import { reasonOf } from '#shared/errors.ts';
import type { Log } from '#shared/log.ts';
import type { Metrics } from '#shared/metrics.ts';
import { DEAD_LETTER_REASONS, type Ending, type EndingReason, type LedgerListener } from './ledger.ts';
import { withoutValues } from './store-error.ts';

export class LedgerTelemetry implements LedgerListener {
  readonly #log: Log;
  readonly #consumed;
  readonly #indexed;
  readonly #deduplicated;
  readonly #deadLettered;
  readonly #abandoned;
  readonly #dropped;

  constructor(metrics: Metrics, log: Log) {
    this.#log = log;
    this.#consumed = metrics.counter('events_consumed_total', 'Events that were taken from the queue and opened.');
    this.#indexed = metrics.counter('events_indexed_total', 'Events that the store took.');
    this.#deduplicated = metrics.counter(
      'events_deduplicated_total',
      'Events that the store had already, under the same name.',
    );
    this.#deadLettered = metrics.counter(
      'events_dead_lettered_total',
      'Events that can never be indexed and lie with the dead letters.',
      ['reason'],
    );
    // Each from 0 on: a rate does not see the first value of a row.
    for (const reason of DEAD_LETTER_REASONS) this.#deadLettered.add(0, reason);
    this.#abandoned = metrics.counter(
      'events_abandoned_total',
      'Events that were left to be read again, by this indexer or another.',
      ['reason'],
    );
    this.#dropped = metrics.counter('events_dropped_total', 'Events that were given up.', ['stage', 'reason']);
  }

  consumed(events: number): void {
    this.#consumed.add(events);
  }

  ended(events: number, ending: Ending, reason: EndingReason | null): void {
    if (ending === 'indexed') this.#indexed.add(events);
    else if (ending === 'deduplicated') this.#deduplicated.add(events);
    else if (ending === 'dead_lettered') this.#deadLettered.add(events, reason ?? 'unknown');
    else if (ending === 'abandoned') this.#abandoned.add(events, reason ?? 'unknown');
    else this.#dropped.add(events, 'indexer', reason ?? 'unknown');
  }

  deadLettered(events: number, reason: string, error: string, from: string): void {
    this.#log.warn('events_dead_lettered', {
      events,
      reason,
      error: withoutValues(error),
      from,
      todo: 'see `sluice dead-letters list`',
    });
  }

  deadLettersFailed(error: unknown): void {
    this.#log.error('dead_letters_unavailable', {
      what: reasonOf(error),
      effect: 'their offsets are not committed until it works',
    });
  }
}
