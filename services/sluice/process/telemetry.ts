// The metrics of every long-running command, whichever components it runs.

import type { Config } from '#shared/config/settings.ts';
import type { HistogramHandle, Metrics } from '#shared/metrics.ts';
import { watchDeadLetters } from '#shared/queue/dead-letter-metrics.ts';
import type { Queue } from '#shared/queue/queue.ts';
import type { Store, StoreSpace, StoreSpaceWatch } from '#shared/store/store.ts';
import type { Log } from '#shared/log.ts';

export function watchService(
  metrics: Metrics,
  config: Config,
  queue: Pick<Queue, 'unreadyReason' | 'deadLetterSpace'>,
): void {
  metrics.gauge(
    'config_info',
    'What is configured, as labels of a constant 1.',
    ['queue', 'store', 'topic', 'group'],
    () => [[1, config.queue ?? '', config.store ?? '', config['kafka.topic'], config['kafka.group']]],
  );
  metrics.gauge('queue_up', 'Whether the queue takes what it is given, and can be read.', [], () => [
    [queue.unreadyReason === null ? 1 : 0],
  ]);
  watchDeadLetters(metrics, queue);
}

export function watchStore(
  { metrics, log }: { readonly metrics: Metrics; readonly log: Log },
  store: Pick<Store, 'watchUnnamed' | 'watchUpkeep' | 'watchSpace'>,
): void {
  const unnamed = metrics.counter(
    'unnamed_documents_total',
    'Documents whose container, service, pod and tag are only among their attributes, for the tenant has as many names as it may (embedded store).',
  );
  store.watchUnnamed?.((documents) => unnamed.add(documents));
  const failures = metrics.counter(
    'store_upkeep_failures_total',
    'Failed merges of blocks, deletions of old documents, and conversions of earlier ones (embedded store).',
    ['work'],
  );
  store.watchUpkeep?.((work) => failures.add(1, work));
  store.watchSpace?.(spaceWatch(metrics, log));
}

function spaceWatch(metrics: Metrics, log: Log): StoreSpaceWatch {
  let space: StoreSpace | null = null;
  const figure = (name: string, help: string, of: (now: StoreSpace) => number | null): void =>
    metrics.gauge(name, help, [], () => {
      const value = space && of(space);
      return value === null ? [] : [[value]];
    });
  metrics.gauge(
    'store_bytes',
    'Bytes of the embedded store on its disk: pages in use, free pages that are used again, and the WAL; as of the ' +
      'last half minute.',
    ['of'],
    () =>
      space === null
        ? []
        : [
            [space.usedBytes, 'used'],
            [space.freeBytes, 'free'],
            [space.walBytes, 'wal'],
          ],
  );
  figure(
    'store_limit_bytes',
    'What the embedded store may have on its disk (store.max_bytes).',
    ({ bytesMax }) => bytesMax,
  );
  figure(
    'store_oldest_timestamp_seconds',
    'When the documents of the embedded store that are deleted next were indexed, in Unix seconds.',
    ({ oldestMs }) => (oldestMs === null ? null : oldestMs / 1000),
  );
  const documents = metrics.counter(
    'store_deleted_documents_total',
    'Documents that the embedded store deleted: for their age, or for its size, whatever their age.',
    ['reason'],
  );
  const bytes = metrics.counter('store_deleted_bytes_total', 'Bytes that they had on its disk.', ['reason']);
  // From the start, so that the first ones are a rise.
  for (const reason of ['age', 'size']) for (const counter of [documents, bytes]) counter.add(0, reason);
  return {
    measured: (now) => void (space = now),
    deleted(reason, deleted, deletedBytes) {
      documents.add(deleted, reason);
      bytes.add(deletedBytes, reason);
    },
    bounded({ documents: deleted, bytes: deletedBytes, bytesMax, untilMs }) {
      log.warn('store_bound_passed', {
        message:
          'The embedded store had more than store.max_bytes, so the oldest documents were deleted, which the ' +
          'retention would have kept',
        documents: deleted,
        bytes: deletedBytes,
        bytes_max: bytesMax,
        indexed_until: untilMs === null ? null : new Date(untilMs).toISOString(),
      });
    },
  };
}

/** Seconds of processor time that one turn of the event loop took (loop-turns.ts). */
export function turnHistogram(metrics: Metrics): HistogramHandle {
  return metrics.histogram(
    'turn_seconds',
    'Processor time of the main thread in one turn of its event loop, during which nobody else is served; of turns within 1 ms the last has the time of all.',
    [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5],
  );
}
