// A topic that loses what was acked, beside the one of the load: a forwarder, an indexer, and an Elasticsearch that can
// be made to refuse all, so that records lie unread when the topic is made anew, or when retention overtakes who reads
// it.
//
// Exactly what is lost must be reported. So the topic is read before each strike: which events lie at which offsets.
// What the indexer then tells (`records_lost`, partition and offsets) must be the very events that were acked and are
// nowhere at the end. An indexer can know the old end of a topic only as far as it heard of it; so it is assigned anew
// when all is written, and before the topic is made anew.

import { readFileSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { randomBytes } from 'node:crypto';
import type { Config } from '#shared/config/settings.ts';
import { readPartitionOffsets } from '#shared/queue/kafka/broker/group-offsets.ts';
import { type Admin, createClient } from '#shared/queue/kafka/kafkajs/client.ts';
import { ForwardClient } from '#test/clients/forward-client.ts';
import type { RefusingProxy } from '#test/integration/parts/refusing-proxy.ts';
import { Books } from '../books.ts';
import type { Member } from '../member.ts';
import { compareLoss, type LossCounts, type Strike, reportedIn } from '../reported-losses.ts';

/** Senders of the load have lower numbers. */
export const doomedSenderFirst = 1000;
const tags = 12;
const chunksBefore = 48;
const chunksAfter = 6;
const chunkEvents = 100;
/** Of an event, incompressible: together far more than the indexer holds. */
const textBytes = 2048;
const stepMs = 240_000;
const pollMs = 250;
const polls = 4;
/** Of what is unread, how much retention removes. */
const removedShare = 0.9;
const requestTimeoutMs = 5000;

export interface DoomedParts {
  readonly forwarder: Member;
  readonly indexer: Member;
  readonly refusing: RefusingProxy;
  readonly config: Config;
  /** Of the indexer. */
  readonly logFile: string;
  /** `sluice setup` and `sluice cat` of this topic. */
  readonly linesOf: (...command: string[]) => Promise<string[]>;
}

export type Doom = 'topic made anew' | 'retention overtaking';

export class DoomedTopic {
  readonly books = new Books();
  readonly #parts: DoomedParts;
  readonly #strikes: Strike[] = [];

  constructor(parts: DoomedParts) {
    this.#parts = parts;
  }

  get members(): readonly Member[] {
    return [this.#parts.forwarder, this.#parts.indexer];
  }

  /** Resolves when it has struck, and all that is left was indexed. */
  async strike(kind: Doom, signal: AbortSignal): Promise<void> {
    const { refusing, forwarder, logFile } = this.#parts;
    const sender = doomedSenderFirst + this.#strikes.length;
    await using client = new ForwardClient(forwarder.forwardPort);
    await this.atRest(signal);
    const logFrom = statSync(logFile).size;
    const sent: Sent = { sender, events: 0, chunks: 0 };
    refusing.refusedShare = 1;
    try {
      await this.#send(client, sent, chunksBefore);
      await this.#readingStopped(signal);
      if (kind === 'topic made anew') await this.#assignAnew(signal);
      const places = await this.#placesOf(sent, signal);
      this.#strikes.push({ sender, logFrom, places });
      if (kind === 'topic made anew') await this.#makeAnew(signal);
      else await this.#removeUnread(signal);
      await this.#send(client, sent, chunksAfter);
    } finally {
      refusing.refusedShare = 0;
    }
    // What the indexer has in hand of an old topic is nowhere else, so no other fault may come before it is done.
    await this.atRest(signal);
  }

  /** When all was read back into the books. */
  count(): LossCounts {
    const log = readFileSync(this.#parts.logFile);
    const reported = this.#strikes.map((strike, i) => {
      const lines = log.subarray(strike.logFrom, this.#strikes[i + 1]?.logFrom).toString();
      return { sender: strike.sender, reported: reportedIn(lines.split('\n'), strike.places) };
    });
    return compareLoss(this.books, reported, this.#parts.indexer.total('records_lost_total'));
  }

  /** Sends so many chunks; resolves when all are acked. */
  async #send(client: ForwardClient, sent: Sent, chunks: number): Promise<void> {
    for (let i = 0; i < chunks; i++) {
      const timeNs = BigInt(Date.now()) * 1_000_000n;
      const events = Array.from({ length: chunkEvents }, () => ({
        timeNs,
        record: { n: sent.events++, s: sent.sender, log: randomBytes(textBytes / 2).toString('hex') },
      }));
      this.books.send(sent.sender, events.length);
      await client.send(`doomed.${i % tags}`, events, 'packed');
      this.books.ack(sent.sender, sent.chunks++);
    }
  }

  /** The indexer holds as much as it may, or has read all. */
  async #readingStopped(signal: AbortSignal): Promise<void> {
    const { indexer } = this.#parts;
    let before = 0;
    let same = 0;
    await until('the indexer to stop reading', signal, async () => {
      await indexer.scrape();
      const now = indexer.now('events_inflight');
      same = now > 0 && now === before ? same + 1 : 0;
      before = now;
      return same >= polls;
    });
  }

  /** It hears of the ends of all partitions. */
  async #assignAnew(signal: AbortSignal): Promise<void> {
    const { indexer, logFile } = this.#parts;
    await indexer.scrape();
    const from = statSync(logFile).size;
    await indexer.stop();
    indexer.start();
    await until('the indexer to be assigned anew', signal, () =>
      Promise.resolve(readFileSync(logFile).subarray(from).includes('"partitions_assigned"')),
    );
    await this.#readingStopped(signal);
  }

  /** Which events lie at each offset, when all of them are there. */
  async #placesOf(sent: Sent, signal: AbortSignal): Promise<Map<string, number[]>> {
    const places = new Map<string, number[]>();
    await until('all that was acked to be in the topic', signal, async () => {
      places.clear();
      const seen = new Set<number>();
      for (const line of await this.#parts.linesOf('cat').catch(() => [])) {
        const { partition, offset, record } = JSON.parse(line) as CatLine;
        if (record.s !== sent.sender) continue;
        const place = `${partition}/${offset}`;
        places.set(place, [...(places.get(place) ?? []), record.n]);
        seen.add(record.n);
      }
      return seen.size === sent.events;
    });
    return places;
  }

  async #makeAnew(signal: AbortSignal): Promise<void> {
    const { config, linesOf } = this.#parts;
    const topic = config['kafka.topic'];
    await until('the topic to be deleted', signal, () =>
      this.#asking(async (admin) => {
        if (!(await admin.listTopics()).includes(topic)) return true;
        await admin.deleteTopics({ topics: [topic] });
        return false;
      }),
    );
    await until('the topic to be made anew', signal, () =>
      linesOf('setup').then(
        () => true,
        () => false,
      ),
    );
  }

  async #removeUnread(signal: AbortSignal): Promise<void> {
    const { 'kafka.topic': topic, 'kafka.group': group } = this.#parts.config;
    await until('records to be removed', signal, () =>
      this.#asking(async (admin) => {
        const offsets = await readPartitionOffsets(admin, group, topic);
        const partitions = offsets.map(({ partition, high, next }) => ({
          partition,
          offset: String(next + Math.floor((high - next) * removedShare)),
        }));
        await admin.deleteTopicRecords({ topic, partitions });
        return true;
      }),
    );
  }

  /** Resolves when all that is left was indexed. */
  async atRest(signal: AbortSignal): Promise<void> {
    const { forwarder, indexer, config } = this.#parts;
    const { 'kafka.topic': topic, 'kafka.group': group } = config;
    let quiet = 0;
    await until('the doomed topic to be at rest', signal, async () => {
      await Promise.all([forwarder.scrape(), indexer.scrape()]);
      const inHand = [forwarder, indexer].map((member) => member.now('events_inflight') + member.now('events_spooled'));
      const isRead = await this.#asking(async (admin) => {
        const offsets = await readPartitionOffsets(admin, group, topic);
        return offsets.every(({ high, next }) => high === next);
      });
      quiet = isRead && inHand.every((events) => events === 0) ? quiet + 1 : 0;
      return quiet >= polls;
    });
  }

  /** False where Kafka does not answer. */
  async #asking(question: (admin: Admin) => Promise<boolean>): Promise<boolean> {
    const admin = createClient(this.#parts.config, { requestTimeoutMs, debug: () => undefined }).admin();
    try {
      await admin.connect();
      return await question(admin);
    } catch {
      return false;
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
  }
}

interface Sent {
  readonly sender: number;
  events: number;
  chunks: number;
}

interface CatLine {
  readonly partition: number;
  readonly offset: string | number;
  readonly record: { readonly n: number; readonly s: number };
}

async function until(what: string, signal: AbortSignal, isDone: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + stepMs;
  while (!(await isDone())) {
    signal.throwIfAborted();
    if (performance.now() > deadlineMs) throw new Error(`Cannot go on: waited ${stepMs / 1000} s for ${what}`);
    await delay(pollMs, undefined, { signal });
  }
}
