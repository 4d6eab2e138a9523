// How bulk requests go, as metrics and log lines: answers and failures, what is blocked, what was rewritten as text,
// and second copies after a rollover. Reported per request or batch, never per event, and never with a payload.

import type { Clock } from '#shared/clock.ts';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import type { Log } from '#shared/log.ts';
import { LimitedLabel, type Metrics } from '#shared/metrics.ts';
import type { Batch } from '#shared/record/record.ts';
import type { RequestVerdict } from './outcomes.ts';
import { withoutValues } from './store-error.ts';

/** Upper bounds in seconds. A log line should be found within a second; a lag after an outage is minutes or hours. */
const RECEIVE_SECONDS_BOUNDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200];
const BULK_SECONDS_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** A batch that took longer is worth being named. */
const EXEMPLAR_SECONDS_MIN = 1;
/** Tenants that are counted each by its name. */
const TENANTS_MAX = 100;

export class BulkTelemetry {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #bulkSeconds;
  readonly #bulkItems;
  readonly #bulkFailures;
  readonly #secondCopies;
  readonly #secondLookFailures;
  readonly #receiveSeconds;
  readonly #tenantIndexed;
  readonly #tenants = new LimitedLabel(TENANTS_MAX);

  constructor(metrics: Metrics, log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
    this.#bulkSeconds = metrics.histogram(
      'bulk_seconds',
      'Time from a bulk request to its answer.',
      BULK_SECONDS_BOUNDS,
    );
    this.#bulkItems = metrics.counter('bulk_items_total', 'Items of bulk requests by their status.', ['status']);
    this.#bulkFailures = metrics.counter(
      'bulk_failures_total',
      'Bulk requests that failed as a whole, by the code of the error; their documents are sent again.',
      ['reason'],
    );
    this.#secondCopies = metrics.counter(
      'second_copies_total',
      'Documents that were found in two backing indices after a rollover, and what became of the newer copy.',
      ['copy'],
    );
    this.#secondLookFailures = metrics.counter(
      'second_look_failures_total',
      'Looks for second copies in a data stream that failed; nothing they concern is committed before one succeeds.',
    );
    this.#receiveSeconds = metrics.histogram(
      'receive_to_indexed_seconds',
      'Time from the receipt of a batch at the edge to the answer of the store; once for each batch and request.',
      RECEIVE_SECONDS_BOUNDS,
    );
    this.#tenantIndexed = metrics.counter(
      'tenant_events_indexed_total',
      'Events of a tenant that the store took; the first hundred tenants by name.',
      ['tenant'],
    );
  }

  /** So many events of a batch were indexed; it came in the record `from`. */
  indexed({ receivedMs, tenant }: Batch, events: number, from: { partition: number; offset: number }): void {
    const nowMs = this.#clock.epochMs();
    const seconds = Math.max(0, nowMs - receivedMs) / 1000;
    this.#receiveSeconds.observe(seconds);
    if (seconds >= EXEMPLAR_SECONDS_MIN) {
      const about = { partition: String(from.partition), offset: String(from.offset) };
      this.#receiveSeconds.exemplify(seconds, nowMs, about);
    }
    if (tenant !== null) this.#tenantIndexed.add(events, this.#tenants.of(tenant));
  }

  bulkAnswered(seconds: number, items: ReadonlyMap<string, number>): void {
    this.#bulkSeconds.observe(seconds);
    for (const [status, count] of items) this.#bulkItems.add(count, status);
    const failureStore = items.get('failure_store');
    if (failureStore) {
      this.#log.warn('failure_store_used', {
        documents: failureStore,
        what: 'Elasticsearch put documents into the failure store of the data stream',
        effect: 'they are tried once more as text, then they go to the dead letters',
        todo: 'look there for the reason, then see `sluice dead-letters list`',
      });
    }
  }

  bulkFailed(error: Error, verdict: RequestVerdict, attempt: number): void {
    this.#bulkFailures.add(1, error instanceof SluiceError ? error.code : 'unknown');
    const fields = { what: reasonOf(error), attempt, effect: 'nothing is lost: the same documents are sent again' };
    if (verdict === 'operator') {
      this.#log.error('store_refuses_requests', {
        ...fields,
        todo: 'mend the credentials or the privileges; the indexer goes on by itself',
      });
    } else if (verdict === 'again') this.#log.warn('bulk_failed', fields);
    else this.#log.warn('bulk_split', { what: fields.what, verdict });
  }

  /**
   * The store refused a request and, after it, a probe in which nothing can be wrong: nothing is sent but one try now
   * and then.
   */
  requestsBlocked(reason: string): void {
    this.#log.error('store_refuses_requests', {
      what: reason,
      effect: 'nothing is lost: the same documents are sent again, slowly; none goes to the dead letters',
      todo: 'mend what refuses every request: a parameter, a proxy, the version of Elasticsearch',
    });
  }

  /** An index takes nothing: what is for it waits, and nothing else does. */
  indexBlocked(index: string, reason: string): void {
    this.#log.error('index_refuses_documents', {
      index,
      what: reason,
      effect: 'nothing is lost: they are kept and tried again slowly',
      todo:
        'mend privileges, the template, its pipelines, the disk or the limits of the cluster; ' +
        'the indexer goes on by itself',
    });
  }

  indexUnblocked(index: string): void {
    this.#log.info('index_takes_documents_again', { index });
  }

  rewritten(items: number, error: string): void {
    this.#log.info('documents_kept_as_text', { items, why: withoutValues(error) });
  }

  /** Documents were in two backing indices; the newer copies are deleted, or cannot be. */
  secondCopies(index: string, documents: number, error: unknown): void {
    this.#secondCopies.add(documents, error === null ? 'deleted' : 'kept');
    if (error === null) this.#log.info('second_copies_deleted', { index, documents });
    else {
      this.#log.error('second_copies_kept', {
        index,
        documents,
        what: reasonOf(error),
        effect: 'these documents are there twice',
        todo: 'give the indexer the privilege "delete" on the data stream',
      });
    }
  }

  /** Second copies of these documents cannot be looked for now, so their offsets wait. */
  secondLookFailed(dataStream: string, documents: number, error: unknown): void {
    this.#secondLookFailures.add(1);
    this.#log.error('second_look_failed', {
      stream: dataStream,
      documents,
      what: reasonOf(error),
      effect: 'nothing is lost: documents are written, but their offsets are not committed before it works',
      todo:
        'mend the privileges "read" and "view_index_metadata", or the backing index that cannot be read; ' +
        'the indexer goes on by itself',
    });
  }
}
