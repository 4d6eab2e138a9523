// Partitions of several topics under one number each, for what lies behind the readers: it knows partitions only. Those
// of Sluice's own topic keep theirs.
//
//   number    slot × 2^20 + partition       slot 0: the topic of the logs; 1, 2, …: topics of others, as they are met
//
// Numbers are of this process, and go nowhere else: whoever tells of a partition tells its topic.

import assert from 'node:assert/strict';

/** Kafka's clusters have fewer partitions than that altogether. */
const SLOT_PARTITIONS = 2 ** 20;

export interface TopicPlace {
  readonly topic: string;
  readonly partition: number;
}

export class TopicSlots {
  readonly #topics: string[];
  readonly #slots: Map<string, number>;

  constructor(ownTopic: string) {
    this.#topics = [ownTopic];
    this.#slots = new Map([[ownTopic, 0]]);
  }

  numberOf(topic: string, partition: number): number {
    assert(partition >= 0 && partition < SLOT_PARTITIONS);
    let slot = this.#slots.get(topic);
    if (slot === undefined) {
      slot = this.#topics.push(topic) - 1;
      this.#slots.set(topic, slot);
    }
    return slot * SLOT_PARTITIONS + partition;
  }

  placeOf(number: number): TopicPlace {
    const topic = this.#topics[Math.floor(number / SLOT_PARTITIONS)];
    assert(topic !== undefined, 'numbers are made here');
    return { topic, partition: number % SLOT_PARTITIONS };
  }
}
