// What reads a range of the queue that the configuration names once more. It is loaded only when it is needed.

import type { Config } from '#shared/config/settings.ts';
import type { RewindSource } from '../queue/rewind-source.ts';

/** Rejects with data_dir_unusable or config_invalid. */
export async function openRewindSource(config: Config): Promise<RewindSource> {
  if ((config.queue ?? (config['kafka.brokers'] === undefined ? 'embedded' : 'kafka')) === 'kafka') {
    const { KafkaRewind } = await import('../queue/kafka/kafka-rewind.ts');
    return new KafkaRewind(config);
  }
  const { openEmbeddedRewind } = await import('../queue/embedded/rewind/embedded-rewind.ts');
  return openEmbeddedRewind(config);
}
