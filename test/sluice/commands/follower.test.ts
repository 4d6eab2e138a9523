// Following while clocks are wrong, over both stores: of the indexers, which say when they wrote a document, and of
// this machine.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import { ElasticsearchStore } from '#shared/store/elasticsearch/store.ts';
import { openEmbeddedStore } from '#shared/store/embedded/store.ts';
import type { Store } from '#shared/store/store.ts';
import { elasticsearch } from '#test/backends/elasticsearch.ts';
import { bulkRequest, testId } from '#test/contract/store-bodies.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { Follower } from '../../../services/sluice/commands/follower.ts';

const HOUR_MS = 3_600_000;
const signal = new AbortController().signal;

interface Place extends AsyncDisposable {
  readonly store: Store;
  readonly stream: string;
  refresh(): Promise<unknown>;
}

const found = await elasticsearch();

describe('embedded store', () => follows(openEmbedded));
describe('elasticsearch store', { skip: found === null ? 'no Elasticsearch to be had' : false }, () =>
  follows(() => openElasticsearch(found?.url ?? '')),
);

async function openEmbedded(): Promise<Place> {
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-follow-'));
  const store = await openEmbeddedStore({ dataDir, readOnly: false, retentionMs: 1e12, clock: systemClock });
  return {
    store,
    stream: 'logs-sluice-default',
    refresh: () => Promise.resolve(),
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await rm(dataDir, { recursive: true });
    },
  };
}

async function openElasticsearch(url: string): Promise<Place> {
  const stream = `logs-sluice.t${randomBytes(6).toString('hex')}-default`;
  const options = { urls: [url], connections: 2, bulkTimeoutMs: 30_000, retentionMs: 1e12 };
  const store = new ElasticsearchStore({ ...options, indexPatterns: [stream] });
  await store.setup();
  return {
    store,
    stream,
    refresh: () => fetch(`${url}/${stream}/_refresh`, { method: 'POST' }),
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await fetch(`${url}/_data_stream/${stream}`, { method: 'DELETE' });
    },
  };
}

/** Indexers whose clocks are ahead by so many ms, and a reader whose own is; all write at the same moments. */
class World {
  readonly #place: Place;
  readonly #clock = new VirtualClock();
  readonly #readerAheadMs: number;
  readonly #follower: Follower;
  #documents = 0;
  readonly shown: string[] = [];

  constructor(place: Place, readerAheadMs: number) {
    this.#place = place;
    this.#readerAheadMs = readerAheadMs;
    const clock = this.#clock;
    this.#follower = new Follower(
      place.store,
      {},
      {
        epochMs: () => clock.epochMs() + this.#readerAheadMs,
        monotonicMs: () => clock.monotonicMs(),
        sleep: (ms) => clock.sleep(ms),
        timer: (ms, action) => clock.timer(ms, action),
      },
    );
  }

  /** One document of each indexer, named by how far it is ahead. */
  async write(name: string, aheadsMs: readonly number[]): Promise<string[]> {
    const nowMs = this.#clock.epochMs();
    const documents = aheadsMs.map((aheadMs) => ({
      id: testId(7, this.#documents++),
      index: this.#place.stream,
      document: {
        '@timestamp': new Date(nowMs).toISOString(),
        message: `${name} ${aheadMs}`,
        event: { ingested: new Date(nowMs + aheadMs).toISOString(), sequence: this.#documents },
      },
    }));
    await this.#place.store.bulk(bulkRequest(documents));
    await this.#place.refresh();
    return documents.map(({ document }) => document.message);
  }

  async begin(): Promise<void> {
    const [newest] = await this.#place.store.search({ order: 'newest', limit: 1 });
    await this.#follower.start(newest, signal);
  }

  async poll(): Promise<void> {
    await this.#clock.advance(1000);
    for await (const page of this.#follower.poll(signal))
      for (const { source } of page) this.shown.push(String(source['message']));
  }

  async pass(ms: number): Promise<void> {
    await this.#clock.advance(ms);
  }
}

function follows(open: () => Promise<Place>): void {
  for (const [what, aheadsMs, readerAheadMs] of [
    ['all clocks agree', [0, 2000], 0],
    ['one indexer is ahead by an hour', [0, HOUR_MS], 0],
    ['one is ahead by an hour, and one behind by 8 s', [-8000, 0, HOUR_MS], 0],
    ['one is ahead by an hour, one by two, and this machine by 5 s', [0, HOUR_MS, 2 * HOUR_MS], 5000],
    ['this machine is behind by an hour', [0, 1000], -HOUR_MS],
    ['this machine is ahead by an hour', [0, 1000], HOUR_MS],
    ['one is ahead until the year 2200', [0, Date.UTC(2200) - Date.UTC(2026)], 0],
  ] as const) {
    it(`shows what is new, once each: ${what}`, async () => {
      await using place = await open();
      const world = new World(place, readerAheadMs);
      // Two hours in which they wrote before anybody followed.
      for (let i = 0; i < 24; i++) {
        await world.write(`old ${i}`, aheadsMs);
        await world.pass(300_000);
      }
      await world.write('just before', aheadsMs);
      await world.begin();
      const expected: string[] = [];
      for (let i = 0; i < 25; i++) {
        // Documents of those that are right first come amid those of the others, then alone for more than the overlap.
        expected.push(...(await world.write(`new ${i}`, i < 12 ? aheadsMs : aheadsMs.slice(0, 1))));
        await world.poll();
      }
      // When this machine's clock comes to where the others were, nothing is shown again.
      for (let i = 0; i < 24; i++) {
        await world.pass(300_000);
        expected.push(...(await world.write(`later ${i}`, aheadsMs)));
        await world.poll();
      }
      for (let i = 0; i < 10; i++) await world.poll();
      assert.deepEqual(world.shown.toSorted(), expected.toSorted());
    });
  }
}
