// Which records of an event are of others, by `kafka.sources`. A function is called with records of the topic that its
// event source mapping names. Without rules it is read as Sluice's own, whatever it is called; with rules, one that is
// neither `kafka.topic` nor of a rule is an error: read as Sluice's own, each of its messages would be a dead letter.

import type { Config } from '#shared/config/settings.ts';
import { ruleOf } from '#shared/config/settings/sources.ts';
import { SluiceError } from '#shared/errors.ts';
import type { RecordSource } from '#shared/queue/queue.ts';
import type { TopicSlots } from '#indexer/settle/topic-slots.ts';
import type { EventSources } from './kafka-event.ts';

interface Place {
  readonly topic: string;
  readonly partition: number;
}

export class ConfiguredSources implements EventSources {
  readonly #config: Config;
  readonly #slots: TopicSlots;
  /** By topic and partition; one object for all records of a partition. */
  readonly #sources = new Map<string, RecordSource | null>();

  constructor(config: Config, slots: TopicSlots) {
    this.#config = config;
    this.#slots = slots;
  }

  numberOf(place: Place): number {
    return this.#slots.numberOf(place.topic, place.partition);
  }

  /** Throws config_invalid: the call fails, and its records come again until the topic has a rule. */
  sourceOf({ topic, partition }: Place): RecordSource | null {
    const key = `${topic}/${partition}`;
    const known = this.#sources.get(key);
    if (known !== undefined) return known;
    const { 'kafka.sources': rules = [], 'kafka.topic': own, 'kafka.dead_letter_topic': deadLetters } = this.#config;
    const rule = ruleOf(topic, rules, [own, deadLetters]);
    if (rule === null && rules.length > 0 && topic !== own)
      throw new SluiceError(
        'config_invalid',
        `Cannot read ${topic}: it is not SLUICE_KAFKA_TOPIC, and no rule of kafka.sources has it; give it one, or ` +
          'take away its event source mapping',
      );
    // An event does not tell the topic's id.
    const source = rule === null ? null : { topic, topicId: null, partition, rule };
    this.#sources.set(key, source);
    return source;
  }
}
