// What is known about the topic, in a file beside the spools: `<data.dir>/spool/topic.json`. With it, a forwarder that
// starts while Kafka is away sends each source to its usual partition. Only that order depends on it; a damaged file
// counts as missing.

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the forwarder must know of a topic before it can take anything. */
export interface TopicFigures {
  readonly partitions: number;
  readonly appendBytesMax: number;
}

/** Of a topic that was never seen: what a stock broker takes. */
export const UNSEEN_TOPIC: TopicFigures = { partitions: 1, appendBytesMax: 1_000_000 };

export class TopicMemory {
  readonly #file: string;
  readonly #topic: string;

  /** `topic` is the name of the topic that is meant now. */
  constructor(dataDir: string, topic: string) {
    this.#file = join(dataDir, 'spool', 'topic.json');
    this.#topic = topic;
  }

  recall(): TopicFigures | null {
    try {
      const memory: unknown = JSON.parse(readFileSync(this.#file, 'utf8'));
      return isMemory(memory) && memory.topic === this.#topic ? memory : null;
    } catch {
      return null;
    }
  }

  keep({ partitions, appendBytesMax }: TopicFigures): void {
    const written = `${this.#file}.${process.pid}`;
    try {
      writeFileSync(written, JSON.stringify({ topic: this.#topic, partitions, appendBytesMax }), { mode: 0o600 });
      renameSync(written, this.#file);
    } catch {
      // A full device, which the spool tells of.
    }
  }
}

function isMemory(memory: unknown): memory is TopicFigures & { topic: string } {
  return (
    typeof memory === 'object' &&
    memory !== null &&
    'topic' in memory &&
    'partitions' in memory &&
    'appendBytesMax' in memory &&
    isCount(memory.partitions) &&
    isCount(memory.appendBytesMax)
  );
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
}
