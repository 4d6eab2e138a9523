// The stores of which the contract is said: each is opened before the tests of a suite and gone after them.
// Elasticsearch and OpenSearch take part where test/backends has them, with a data stream of the suite's own.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import { ElasticsearchStore } from '#shared/store/elasticsearch/store.ts';
import { openEmbeddedStore } from '#shared/store/embedded/store.ts';
import type { BulkOutcome, Store, StoredDocument, StoreQuery } from '#shared/store/store.ts';
import { elasticsearch } from '#test/backends/elasticsearch.ts';
import { opensearch } from '#test/backends/opensearch.ts';
import { RunningApi } from '#test/sluice/read/running-api.ts';
import { ReadClient } from '../../../services/sluice/remote/read-client.ts';
import { RemoteStore } from '../../../services/sluice/remote/remote-store.ts';
import { bulkRequest, type TestDocument, testId } from '../store-bodies.ts';

interface Opened extends AsyncDisposable {
  readonly store: Store;
  /** Of a store with files of its own. */
  readonly dataDir?: string;
  /** Makes all that was written visible to searches. */
  refresh(): Promise<void>;
  /** What is written from now on goes to a new index, where the store has such things. */
  rollOver(): Promise<void>;
  /** How many fields the mapping has, objects included; 0 for a store without one. */
  mappedFields(): Promise<number>;
  /** Of one of the indices behind the data stream; opens it again. */
  close(index: string, isClosed?: boolean): Promise<void>;
  /** Whether text is split by the rule of words.ts, or by the nearest thing that the server has. */
  readonly splitsExactly: boolean;
}

const servers = [
  { name: 'Elasticsearch', found: await elasticsearch() },
  { name: 'OpenSearch', found: await opensearch() },
];
const RETENTION_MS = 3650 * 86_400_000;

export const BY_READ_API = 'by its read API';

interface Subject {
  readonly name: string;
  readonly options: object;
  readonly use: () => StoreInUse;
}

const opening: readonly (Omit<Subject, 'use'> & { stream(): string; open(stream: string): Promise<Opened> })[] = [
  { name: 'embedded store', options: {}, stream: () => 'logs-sluice.contract-default', open: openEmbedded },
  ...servers.map(({ name, found }) => ({
    name: `${name} store`,
    options: { skip: found === null ? `no ${name} to be had` : false },
    stream: () => `logs-sluice.t${randomBytes(6).toString('hex')}-default`,
    open: (stream: string) => openElasticsearch(found?.url ?? '', stream),
  })),
];

/** For `describe`: its name and options, and what opens the store for the suite. */
export const stores: readonly Subject[] = opening.map(({ stream, open, ...subject }) => ({
  ...subject,
  use() {
    const name = stream();
    return new StoreInUse(name, () => open(name));
  },
}));

/** And both kinds as the commands of another machine see them: written to as before, and read by their read API. */
export const readStores: readonly Subject[] = [
  ...stores,
  ...opening.slice(0, 2).map(({ name, options, stream, open }) => ({
    name: `${name} ${BY_READ_API}`,
    options,
    use() {
      const own = stream();
      return new StoreInUse(own, async () => remotely(await open(own)));
    },
  })),
];

export class StoreInUse {
  readonly stream: string;
  #opened: Opened | null = null;
  #lastBatch = 0;

  constructor(stream: string, open: () => Promise<Opened>) {
    this.stream = stream;
    before(async () => {
      this.#opened = await open();
    });
    after(() => this.#opened?.[Symbol.asyncDispose]());
  }

  get opened(): Opened {
    if (this.#opened === null) throw new Error('the store is open while tests run');
    return this.#opened;
  }

  get store(): Store {
    return this.opened.store;
  }

  /** The documents, with ids of their own. */
  numbered(documents: readonly Record<string, unknown>[]): TestDocument[] {
    const batch = ++this.#lastBatch;
    return documents.map((document, i) => ({ id: testId(batch, i), index: this.stream, document }));
  }

  async write(documents: readonly TestDocument[]): Promise<BulkOutcome[]> {
    const outcomes = await this.store.bulk(bulkRequest(documents));
    await this.opened.refresh();
    return outcomes;
  }

  search(query: Partial<StoreQuery>): Promise<StoredDocument[]> {
    return this.store.search({ limit: 100, order: 'oldest', ...query });
  }
}

export function messages(documents: readonly StoredDocument[]): unknown[] {
  return documents.map(({ source }) => source['message']);
}

export function statuses(outcomes: readonly BulkOutcome[]): number[] {
  return outcomes.map(({ status }) => status);
}

async function openEmbedded(): Promise<Opened> {
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-store-'));
  const options = { dataDir, readOnly: false, retentionMs: RETENTION_MS, namesMax: 100_000, clock: systemClock };
  const store = await openEmbeddedStore(options);
  await store.setup();
  return {
    store,
    dataDir,
    splitsExactly: true,
    refresh: () => Promise.resolve(),
    rollOver: () => Promise.resolve(),
    mappedFields: () => Promise.resolve(0),
    close: () => Promise.resolve(),
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await rm(dataDir, { recursive: true });
    },
  };
}

async function remotely(opened: Opened): Promise<Opened> {
  const { store, dataDir } = opened;
  const api = await RunningApi.open({ store, ...(dataDir !== undefined && { folder: dataDir }) });
  const client = new ReadClient({ url: `http://127.0.0.1:${api.port}`, clock: systemClock });
  const remote = await RemoteStore.open({ client, clock: systemClock, warn: (line) => assert.fail(line) });
  const both = new Proxy(store, {
    get(written, name) {
      const from = READING.has(name) ? remote : written;
      const value: unknown = Reflect.get(from, name, from);
      return typeof value === 'function' ? (value as (...given: unknown[]) => unknown).bind(from) : value;
    },
  });
  return {
    ...opened,
    store: both,
    async [Symbol.asyncDispose]() {
      await remote[Symbol.asyncDispose]();
      await api[Symbol.asyncDispose]();
      await opened[Symbol.asyncDispose]();
    },
  };
}

/** What of a store is asked of the other side. */
const READING: ReadonlySet<string | symbol> = new Set([
  'pages',
  'search',
  'counts',
  'arrived',
  'table',
  'foundAfterMs',
]);

async function openElasticsearch(url: string, stream: string): Promise<Opened> {
  const store = new ElasticsearchStore({
    urls: [url],
    connections: 3,
    bulkTimeoutMs: 30_000,
    retentionMs: RETENTION_MS,
    indexPatterns: [stream],
  });
  const lines = await store.setup();
  const ask = async (method: string, path: string) => {
    const answer = await fetch(`${url}${path}`, { method });
    await answer.text();
  };
  return {
    store,
    splitsExactly: !lines.some((line) => line.includes('analysis-common')),
    refresh: () => ask('POST', `/${stream}/_refresh`),
    rollOver: () => ask('POST', `/${stream}/_rollover`),
    async mappedFields() {
      await ask('PUT', `/_data_stream/${stream}`);
      const answer = await fetch(`${url}/${stream}/_mapping`);
      return Math.max(...Object.values((await answer.json()) as Record<string, { mappings: Mapped }>).map(fieldsIn));
    },
    close: (index, isClosed = true) => ask('POST', `/${index}/${isClosed ? '_close' : '_open'}`),
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await ask('DELETE', `/_data_stream/${stream}`);
    },
  };
}

interface Mapped {
  readonly properties?: Readonly<Record<string, Mapped>>;
}

function fieldsIn({ mappings }: { mappings: Mapped }): number {
  const count = (mapped: Mapped): number =>
    Object.values(mapped.properties ?? {}).reduce((sum, one) => sum + 1 + count(one), 0);
  return count(mappings);
}

/** Each test works in a day of its own, so that none sees documents of another. */
export function day(number: number): { since: string; until: string; at: (nanoseconds: number) => string } {
  const date = (n: number) => new Date(Date.UTC(2020, 0, n)).toISOString().slice(0, 10);
  return {
    since: `${date(number)}T00:00:00Z`,
    until: `${date(number + 1)}T00:00:00Z`,
    at: (nanoseconds) => `${date(number)}T12:00:00.${String(nanoseconds).padStart(9, '0')}Z`,
  };
}
