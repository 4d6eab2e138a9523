// A read API of a test, as services start it, over a store of its own; and a client that asks it as a program does.

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type IncomingMessage, request, type RequestOptions } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Clock, systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import { createLog } from '#shared/log.ts';
import { Metrics } from '#shared/metrics.ts';
import { openStore } from '#shared/open/open-store.ts';
import type { Store, StoredDocument } from '#shared/store/store.ts';
import { bulkRequest, testId } from '#test/contract/store-bodies.ts';
import { startReadApi } from '../../../services/sluice/read/read-api.ts';

export const START_MS = Date.UTC(2026, 2, 1, 12);

type Fields = Record<string, unknown>;

/** Of the answers, whichever it is. */
export interface Found {
  readonly documents: StoredDocument['source'][];
  readonly next: string | null;
  readonly columns: string[];
  readonly rows: Record<string, string | number | null>[];
  readonly hints: string[];
  readonly warnings: string[];
  readonly sampled: number;
  readonly fields: { readonly name: string; readonly documents: number; readonly values: unknown[] }[];
  readonly every_ms: number;
  readonly error: { readonly code: string; readonly message: string };
}

interface Options {
  readonly env?: Readonly<Record<string, string>>;
  readonly clock?: Clock;
  /** Another one than that of its folder; it is closed by who made it. */
  readonly store?: Store;
  readonly folder?: string;
  /** Batches of documents before this one have their names already. */
  readonly firstBatch?: number;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export class RunningApi implements AsyncDisposable {
  readonly store: Store;
  readonly metrics = new Metrics({ version: '0', command: 'test' }, { ofProcess: false });
  readonly lines: Fields[] = [];
  readonly config;
  readonly #clock: Clock;
  readonly #close: AsyncDisposableStack;
  #address = '';
  #batches = 0;

  private constructor(store: Store, config: ReturnType<typeof loadConfig>, clock: Clock, close: AsyncDisposableStack) {
    this.store = store;
    this.config = config;
    this.#clock = clock;
    this.#close = close;
  }

  static async open({
    env = {},
    clock = systemClock,
    store,
    folder,
    firstBatch = 0,
  }: Options = {}): Promise<RunningApi> {
    const close = new AsyncDisposableStack();
    const dataDir = folder ?? (await mkdtemp(join(tmpdir(), 'sluice-read-')));
    if (folder === undefined) close.defer(() => rm(dataDir, { recursive: true }));
    const config = loadConfig({
      env: { SLUICE_DATA_DIR: dataDir, SLUICE_READ_LISTEN: '127.0.0.1:0', ...env },
      readFile: () => '',
    });
    const opened = store ?? close.use(await openStore(config));
    const api = new RunningApi(opened, config, clock, close);
    api.#batches = firstBatch;
    try {
      await api.#start();
    } catch (error) {
      await close.disposeAsync();
      throw error;
    }
    return api;
  }

  async #start(): Promise<void> {
    const write = (line: string): void => void this.lines.push(JSON.parse(line) as Fields);
    const log = createLog('info', systemClock, { lines: { write } });
    const { config, metrics, store } = this;
    const api = await startReadApi({ config, clock: this.#clock, log, metrics, store, byDefault: true });
    if (api === null) throw new Error('there is no read API');
    this.#close.use(api);
    this.#address = api.address;
  }

  get port(): number {
    return Number(this.#address.split(':').at(-1));
  }

  /** Documents a minute apart, unless they say another time. */
  async write(documents: readonly Fields[], stream = 'logs-sluice-default'): Promise<void> {
    const batch = ++this.#batches;
    await this.store.bulk(
      bulkRequest(
        documents.map((document, i) => ({
          id: testId(batch, i),
          index: stream,
          document: {
            '@timestamp': new Date(START_MS + i * 60_000).toISOString(),
            event: { ingested: new Date().toISOString(), sequence: batch * 10_000 + i },
            ...document,
          },
        })),
      ),
    );
  }

  /** Its answer as it begins. */
  async begin(path: string, options: RequestOptions = {}): Promise<IncomingMessage> {
    const unix = this.#address.startsWith('unix:') ? this.#address.slice('unix:'.length) : null;
    const to = unix === null ? { host: '127.0.0.1', port: this.port } : { socketPath: unix };
    const asked = request({ ...to, path: `/api/${path}`, agent: false, ...options });
    asked.end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    return response;
  }

  /** The same of a question that is posted. */
  async post(path: string, body: unknown): Promise<IncomingMessage> {
    const headers = { 'content-type': 'application/json' };
    const to = { host: '127.0.0.1', port: this.port, path: `/api/${path}`, agent: false, method: 'POST', headers };
    const asked = request(to);
    asked.end(JSON.stringify(body));
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    return response;
  }

  async ask(path: string, options: RequestOptions = {}): Promise<Answer> {
    const response = await this.begin(path, options);
    return { status: response.statusCode ?? 0, headers: response.headers, body: await text(response) };
  }

  async json(path: string, options: RequestOptions = {}): Promise<Found> {
    return JSON.parse((await this.ask(path, options)).body) as Found;
  }

  async metric(pattern: RegExp): Promise<number> {
    const { body } = await this.metrics.render();
    return Number(pattern.exec(body)?.[1] ?? 0);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close.disposeAsync();
  }
}

export const search = (q: string, more: Readonly<Record<string, string>> = {}): string =>
  `search?${new URLSearchParams({ q, ...more }).toString()}`;
export const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
export const LINES = { headers: { accept: 'application/x-ndjson' } };
