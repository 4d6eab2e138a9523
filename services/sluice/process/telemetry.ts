// The metrics of every long-running command, whichever components it runs.

import type { Config } from '#shared/config/settings.ts';
import type { HistogramHandle, Metrics } from '#shared/metrics.ts';
import { watchDeadLetters } from '#shared/queue/dead-letter-metrics.ts';
import type { Queue } from '#shared/queue/queue.ts';
import type { Store } from '#shared/store/store.ts';

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

export function watchStore(metrics: Metrics, store: Pick<Store, 'watchUnnamed' | 'watchUpkeep'>): void {
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
}

/** Seconds of processor time that one turn of the event loop took (loop-turns.ts). */
export function turnHistogram(metrics: Metrics): HistogramHandle {
  return metrics.histogram(
    'turn_seconds',
    'Processor time of the main thread in one turn of its event loop, during which nobody else is served; of turns within 1 ms the last has the time of all.',
    [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5],
  );
}
