// Following while clocks are wrong, over all stores: of the indexers, which say when they wrote a document, and of
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
import { opensearch } from '#test/backends/opensearch.ts';
import { bulkRequest, testId } from '#test/contract/store-bodies.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { Follower, type FollowerOptions } from '../../../services/sluice/search/follow/follower.ts';

const HOUR_MS = 3_600_000;
const signal = new AbortController().signal;

interface Place extends AsyncDisposable {
  readonly store: Store;
  readonly stream: string;
  refresh(): Promise<unknown>;
  /** Refuses writes; where that can be done. */
  block?(isBlocked: boolean): Promise<unknown>;
}

const servers = [
  { name: 'Elasticsearch', found: await elasticsearch() },
  { name: 'OpenSearch', found: await opensearch() },
];

describe('embedded store', () => follows(openEmbedded));
describe('a reader that slept', () => {
  it('shows nothing twice where more came than is remembered', () => asleep(10));
  it('shows nothing twice where more was held back than is remembered', () => asleep(1, 150));
});
for (const { name, found } of servers) {
  describe(`${name} store`, { skip: found === null ? `no ${name} to be had` : false }, () =>
    follows(() => openElasticsearch(found?.url ?? '')),
  );
}

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
    block: (isBlocked) =>
      fetch(`${url}/${stream}/_settings`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ 'index.blocks.write': isBlocked }),
      }),
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await fetch(`${url}/_data_stream/${stream}`, { method: 'DELETE' });
    },
  };
}

interface Request {
  readonly documents: Parameters<typeof bulkRequest>[0];
  readonly messages: string[];
}

/** Indexers whose clocks are ahead by so many ms, and a reader whose own is; all write at the same moments. */
class World {
  readonly #place: Place;
  readonly #clock = new VirtualClock();
  readonly #readerAheadMs: number;
  readonly #follower: Follower;
  #documents = 0;
  readonly shown: string[] = [];

  constructor(place: Place, readerAheadMs: number, options: FollowerOptions = {}) {
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
      options,
    );
  }

  /** One document of each indexer, named by how far it is ahead. */
  async write(name: string, aheadsMs: readonly number[]): Promise<string[]> {
    const request = this.request(name, aheadsMs);
    await this.store(request);
    return request.messages;
  }

  /** Whether all of it was taken. */
  async store({ documents }: Request): Promise<boolean> {
    const outcomes = await this.#place.store.bulk(bulkRequest(documents));
    await this.#place.refresh();
    return outcomes.every(({ status }) => status === 201);
  }

  /** What an indexer has made, and tries to store from now on. */
  request(name: string, aheadsMs: readonly number[]): Request {
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
    return { documents, messages: documents.map(({ document }) => document.message) };
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

  it('shows what an index held back for 30 s, also where indexers try again one after another', () => heldBack(open));
}

/** Documents go on coming, so many a second, while nobody polls; then so many more that were held back. */
async function asleep(perSecond: number, held = 0): Promise<void> {
  await using place = await openEmbedded();
  const world = new World(place, 0, { seenMax: 400 });
  await world.write('before', [0]);
  await world.begin();
  const second = Array.from({ length: perSecond }, (_, i) => -i);
  const expected: string[] = [];
  for (let i = 0; i < 20; i++) {
    expected.push(...(await world.write(`new ${i}`, second)));
    await world.poll();
  }
  for (let i = 0; i < 100; i++) {
    expected.push(...(await world.write(`asleep ${i}`, second)));
    await world.pass(1000);
  }
  const late = Array.from({ length: held }, (_, i) => world.request(`held ${i}`, [0, -1000]));
  for (let i = 0; i < 60; i++) {
    expected.push(...(await world.write(`after ${i}`, second)));
    if (i === 20) for (const request of late) await world.store(request);
    await world.poll();
  }
  assert.deepEqual(world.shown.toSorted(), [...new Set(world.shown)].toSorted());
  for (const message of expected) assert(world.shown.includes(message), message);
}

async function heldBack(open: () => Promise<Place>): Promise<void> {
  await using place = await open();
  const world = new World(place, 0);
  await world.write('before', [0]);
  await world.begin();
  const expected: string[] = [];
  for (let i = 0; i < 25; i++) {
    expected.push(...(await world.write(`new ${i}`, [0])));
    await world.poll();
  }
  await place.block?.(true);
  const held: Request[] = [];
  for (let i = 0; i < 30; i++) {
    held.push(world.request(`held ${i}`, [0]));
    if (place.block && i % 10 === 0) assert.equal(await world.store(held[i] ?? assert.fail()), false);
    await world.poll();
  }
  await place.block?.(false);
  // One indexer goes on at once, and two find out later that they may.
  for (let i = 0; i < 45; i++) {
    expected.push(...(await world.write(`after ${i}`, [0])));
    const due = i === 0 ? held.slice(20) : i === 9 ? held.slice(10, 20) : i === 30 ? held.slice(0, 10) : [];
    for (const request of due) assert.equal(await world.store(request), true);
    expected.push(...due.flatMap(({ messages }) => messages));
    await world.poll();
  }
  assert.deepEqual(world.shown.toSorted(), expected.toSorted());
}
