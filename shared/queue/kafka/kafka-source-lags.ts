// The lags of the groups that read topics of others (`kafka.sources`), beside that of the logs: one group a topic.
// Topics that a pattern matches are looked for with each sample; one that is not there has no lag. One that cannot be
// read takes the lag of no other away.

import type { Clock } from '#shared/clock.ts';
import type { Config } from '#shared/config/settings.ts';
import { groupOfSource, ruleOf } from '#shared/config/settings/sources.ts';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import type { GroupLag, LagFailure, LagSource, OtherLags } from '../group-lag.ts';
import { failureOf } from './broker/failure.ts';
import { topicNames } from './broker/topic-names.ts';
import { KafkaLag } from './kafka-lag.ts';
import { createClient } from './kafkajs/client.ts';
import { withAdmin } from './kafkajs/with-admin.ts';

/** What is asked of the brokers. */
interface Brokers {
  topics(config: Config): Promise<string[]>;
  /** Of the topic and the group that `config` names. */
  lagOf(config: Config, clock: Clock): LagSource;
}

const BROKERS: Brokers = { topics: listTopics, lagOf: (config, clock) => new KafkaLag(config, clock) };

export class KafkaSourceLags implements LagSource {
  readonly #config: Config;
  readonly #clock: Clock;
  readonly #brokers: Brokers;
  readonly #own: LagSource;
  /** By topic. */
  readonly #others = new Map<string, LagSource>();

  constructor(config: Config, clock: Clock, brokers = BROKERS) {
    this.#config = config;
    this.#clock = clock;
    this.#brokers = brokers;
    this.#own = brokers.lagOf(config, clock);
  }

  sample(): Promise<GroupLag> {
    return this.#own.sample();
  }

  async others(): Promise<OtherLags> {
    const { 'kafka.sources': rules = [], 'kafka.topic': own, 'kafka.dead_letter_topic': deadLetters } = this.#config;
    let listed: string[];
    try {
      listed = await this.#brokers.topics(this.#config);
    } catch (error) {
      const { code, reason } = failureOf(error);
      const why = `Cannot list the topics of kafka.sources: ${reason}`;
      return { lags: [], failures: [{ topic: null, error: new SluiceError(code, why, { cause: error }) }] };
    }
    const topics = listed.filter((topic) => ruleOf(topic, rules, [own, deadLetters]) !== null);
    for (const [topic, lag] of this.#others) {
      if (topics.includes(topic)) continue;
      this.#others.delete(topic);
      await lag[Symbol.asyncDispose]();
    }
    const lags: GroupLag[] = [];
    const failures: LagFailure[] = [];
    for (const topic of topics.toSorted()) {
      try {
        lags.push(await this.#lagOf(topic).sample());
      } catch (error) {
        const { code } = error instanceof SluiceError ? error : failureOf(error);
        // It was deleted since the topics were listed.
        if (code === 'topic_missing') continue;
        const why = `Cannot tell the lag of topic ${topic}: ${reasonOf(error)}`;
        failures.push({ topic, error: new SluiceError(code, why, { cause: error }) });
      }
    }
    return { lags, failures };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const lag of [this.#own, ...this.#others.values()]) await lag[Symbol.asyncDispose]();
  }

  #lagOf(topic: string): LagSource {
    const group = groupOfSource(this.#config['kafka.group'], topic);
    const config = { ...this.#config, 'kafka.topic': topic, 'kafka.group': group };
    return this.#others.getOrInsertComputed(topic, () => this.#brokers.lagOf(config, this.#clock));
  }
}

async function listTopics(config: Config): Promise<string[]> {
  const kafka = createClient(config, { debug: () => undefined });
  const named = (config['kafka.sources'] ?? []).flatMap(({ topic }) => topic ?? []);
  return await withAdmin(kafka, (admin) => topicNames(admin, named));
}
