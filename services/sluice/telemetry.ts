// What every long-running command tells of itself, whichever parts it runs.

import type { Config } from '#shared/config/settings.ts';
import type { Metrics } from '#shared/metrics.ts';
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

export function watchStore(metrics: Metrics, store: Store): void {
  const unnamed = metrics.counter(
    'unnamed_documents_total',
    'Documents whose container, service and tag are only among their attributes, for the tenant has as many names as it may (embedded store).',
  );
  store.watchUnnamed?.((documents) => unnamed.add(documents));
}
