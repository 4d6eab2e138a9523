// kafkajs's producer: one request for all that `sendBatch` is given. The brokers may do it although no answer comes,
// may do some of it, and may do it long after the client gave it up.

import type { Headers } from './broker.ts';
import { connectionError, protocolError } from './errors.ts';
import type { Link } from './link.ts';

interface Send {
  readonly topicMessages: readonly {
    readonly topic: string;
    readonly messages: readonly { readonly partition: number; readonly value: Buffer; readonly headers: Headers }[];
  }[];
}

/** What goes to one partition. */
interface Portion {
  readonly topic: string;
  readonly partition: number;
  readonly records: { headers: Headers; value: Buffer }[];
}

/** The longest that a request may be on its way. */
export const PRODUCE_LATE_MS_MAX = 8000;

export class SimProducer {
  readonly #link: Link;

  constructor(link: Link) {
    this.#link = link;
  }

  async connect(): Promise<void> {
    await this.#link.request(() => null);
  }

  disconnect(): Promise<void> {
    return Promise.resolve();
  }

  async sendBatch(send: Send): Promise<void> {
    const { world, process } = this.#link;
    const { broker, faults, random } = world;
    const portions = portionsOf(send);
    const who = process.name;
    const append = (some: readonly Portion[]): void => {
      let refused: unknown = null;
      for (const { topic, partition, records } of some) {
        try {
          broker.append(topic, partition, records);
        } catch (error) {
          // The others are appended all the same.
          refused ??= error;
        }
      }
      if (refused !== null) throw refused;
    };
    if (faults.strikes('produce_failed', who)) {
      return this.#link.request(() => {
        throw protocolError('NOT_ENOUGH_REPLICAS');
      });
    }
    if (faults.strikes('produce_refused', who)) {
      return this.#link.request(() => {
        throw protocolError('TOPIC_AUTHORIZATION_FAILED');
      });
    }
    if (faults.strikes('produce_timeout_after', who)) {
      void this.#link.request(() => append(portions)).catch(() => undefined);
      return this.#link.timeout();
    }
    if (faults.strikes('produce_late', who)) {
      // On its way when the client gives up; that the client dies makes no difference to it.
      world.time.after(random.between(200, PRODUCE_LATE_MS_MAX), () => {
        try {
          if (!broker.isDown) append(portions);
        } catch {
          // Refused, and nobody there to hear it.
        }
      });
      return this.#link.timeout();
    }
    if (faults.strikes('produce_partial', who)) {
      return this.#link.request(() => {
        append(portions.slice(0, random.integer(0, portions.length)));
        throw connectionError();
      });
    }
    const delayMs = faults.strikes('produce_delayed', who) ? random.between(50, 2500) : 0;
    return this.#link.request(() => append(portions), delayMs);
  }
}

function portionsOf({ topicMessages }: Send): Portion[] {
  const portions: Portion[] = [];
  for (const { topic, messages } of topicMessages) {
    for (const { partition, value, headers } of messages) {
      let portion = portions.find((other) => other.topic === topic && other.partition === partition);
      if (portion === undefined) portions.push((portion = { topic, partition, records: [] }));
      // The bytes as they are now: the client may use its buffers again once it has given up.
      portion.records.push({ headers, value: Buffer.from(value) });
    }
  }
  return portions;
}
