// The source of the lag for the queue that the configuration names: kafka/kafka-lag.ts or embedded/embedded-lag.ts. It
// is loaded only when it is needed.

import { type Clock, systemClock } from '#shared/clock.ts';
import type { Config } from '#shared/config/settings.ts';
import type { LagSource } from '../queue/group-lag.ts';

/** `config` names the queue, the topic and the group. Rejects with data_dir_unusable or config_invalid. */
export async function openLagSource(config: Config, clock: Clock = systemClock): Promise<LagSource> {
  if (config.queue === 'kafka') {
    if ((config['kafka.sources'] ?? []).length > 0) {
      const { KafkaSourceLags } = await import('../queue/kafka/kafka-source-lags.ts');
      return new KafkaSourceLags(config, clock);
    }
    const { KafkaLag } = await import('../queue/kafka/kafka-lag.ts');
    return new KafkaLag(config, clock);
  }
  const { openEmbeddedLag } = await import('../queue/embedded/embedded-lag.ts');
  return openEmbeddedLag(config, clock);
}
