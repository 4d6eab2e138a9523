// Opens the queue that the configuration names. Each implementation is loaded only when it is used.

import { type Clock, systemClock } from '#shared/clock.ts';
import type { Config } from '#shared/config/settings.ts';
import type { QueueObserver } from '../queue/queue-observer.ts';
import type { Queue } from '../queue/queue.ts';

export interface QueueHooks {
  readonly clock?: Clock;
  /** Hears what an operator should know: a promise that is weaker than it could be, a failure that is retried. */
  readonly observer: QueueObserver;
  /** What the Kafka client tells of itself; for debugging. */
  debug?(message: string): void;
  /** For commands that only read: works beside the process that writes, and takes no lock. */
  readonly readOnly?: boolean;
}

/**
 * Opens the queue. Kafka may still be out of reach (see `opened` and `unreadyReason`);
 * the embedded queue is open, or it rejects with data_dir_locked or data_dir_unusable.
 */
export async function openQueue(config: Config, hooks: QueueHooks): Promise<Queue> {
  const clock = hooks.clock ?? systemClock;
  const readOnly = hooks.readOnly ?? false;
  const kind = config.queue ?? (config['kafka.brokers'] === undefined ? 'embedded' : 'kafka');
  if (kind === 'kafka') {
    const { openKafkaQueue } = await import('../queue/kafka/kafka-queue.ts');
    return openKafkaQueue(config, { clock, observer: hooks.observer, debug: hooks.debug ?? (() => undefined) });
  }
  const { openEmbeddedQueue } = await import('../queue/embedded/embedded-queue.ts');
  return openEmbeddedQueue({
    dataDir: config['data.dir'],
    bytesMax: config['queue.max_bytes'],
    deadLettersBytesMax: config['queue.dead_letters_max_bytes'],
    retentionMs: config['queue.retention_ms'],
    readOnly,
    clock,
    warn: (message) => hooks.observer.filesTroubled(message),
  });
}
