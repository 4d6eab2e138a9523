// Of which topic a fetched batch is, by the topic's id. A fetch names its topic by name only. So one that was deleted
// and made anew answers as the old one did, until somebody looks. The name of an event of others is made of the topic's
// id and its offset: with the id of the topic before, it would come once more under another name.
//
// Guarantee: the brokers are asked after the batch was fetched, so its topic had the id that they tell, unless it was
// made anew within the moment in which a broker hears of that.

import type { Clock } from '#shared/clock.ts';
import type { Admin, EachBatchPayload, Kafka } from '../kafkajs/client.ts';
import { identityOf } from '../kafkajs/untyped-fields.ts';
import { HEARTBEAT_INTERVAL_MS } from './group-client.ts';

/** The brokers could not be asked. */
export const UNCONFIRMED = Symbol('unconfirmed');

export class TopicConfirmation {
  readonly #kafka: Kafka;
  readonly #topic: string;
  #admin: Promise<Admin> | null = null;

  constructor(kafka: Kafka, topic: string) {
    this.#kafka = kafka;
    this.#topic = topic;
  }

  /** Null where the brokers have no ids (before Kafka 2.8). The group's session is kept alive meanwhile. */
  async topicId({ heartbeat }: EachBatchPayload, clock: Clock): Promise<string | null | typeof UNCONFIRMED> {
    const asked = this.#ask();
    for (;;) {
      const tick = Promise.withResolvers<'later'>();
      const timer = clock.timer(HEARTBEAT_INTERVAL_MS, () => tick.resolve('later'));
      const told = await Promise.race([asked, tick.promise]);
      timer[Symbol.dispose]();
      if (told !== 'later') return told;
      await heartbeat();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const admin = this.#admin;
    this.#admin = null;
    await admin?.then((connected) => connected.disconnect()).catch(() => undefined);
  }

  async #ask(): Promise<string | null | typeof UNCONFIRMED> {
    try {
      this.#admin ??= this.#connected();
      const { topics } = await (await this.#admin).fetchTopicMetadata({ topics: [this.#topic] });
      const [partition] = topics[0]?.partitions ?? [];
      return partition === undefined ? UNCONFIRMED : identityOf(partition).topicId;
    } catch {
      // The topic is gone, or the broker is: the next batch asks anew, over another connection.
      await this[Symbol.asyncDispose]();
      return UNCONFIRMED;
    }
  }

  async #connected(): Promise<Admin> {
    const admin = this.#kafka.admin();
    await admin.connect();
    return admin;
  }
}
