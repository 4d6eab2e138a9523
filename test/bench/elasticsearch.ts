// What Elasticsearch spends on a document: microseconds of its process, and bytes on its disk after merging. Ours
// beside the same ones under ids that it gives itself, and beside a peer's (the four keys of Docker's driver) under its
// default dynamic mapping. All in one server of the bench's own, in turns, since a machine is faster in one minute than
// in the next; the medians count. `--documents N` loads more of them.

import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from '#shared/store/elasticsearch/connection.ts';
import { ElasticsearchStore } from '#shared/store/elasticsearch/store.ts';
import type { IndexLayout } from '#shared/store/elasticsearch/template.ts';
import { privateElasticsearch } from '#test/backends/elasticsearch.ts';
import { median } from './parts/median.ts';
import { ourBodies, peerBodies, withoutIds } from './parts/store-documents.ts';

const DOCUMENTS = 60_000;
const ROUNDS = 5;
const WARM_UPS = 3;
const CONNECTIONS = 2;
const TIMEOUT_MS = 120_000;
const HEAP = '1g';

interface Variant {
  readonly name: string;
  /** Undefined: an index that nothing was set up for. */
  readonly layout?: IndexLayout;
  readonly bodies: (documents: number, index: string) => Buffer[];
}

const ours = 'ours';
const ownIds = 'ours with ids of Elasticsearch';
const logsdb = 'ours in logsdb';
const withoutOriginal = 'ours in logsdb, without event.original';
const peer = 'a peer, default mapping';
const variants: readonly Variant[] = [
  { name: ours, layout: {}, bodies: ourBodies },
  { name: ownIds, layout: {}, bodies: (documents, index) => ourBodies(documents, index).map(withoutIds) },
  { name: logsdb, layout: { mode: 'logsdb' }, bodies: ourBodies },
  {
    name: withoutOriginal,
    layout: { mode: 'logsdb', keepsOriginal: false },
    bodies: (documents, index) => ourBodies(documents, index, { keepsOriginal: false }),
  },
  { name: peer, bodies: peerBodies },
];

interface Cost {
  readonly cpuUs: number;
  readonly bytes: number;
}

export async function run({ documents = DOCUMENTS }: { documents?: number } = {}): Promise<void> {
  await using server = await privateElasticsearch({ heap: HEAP });
  try {
    await server.start();
  } catch (error) {
    console.log(`elasticsearch: skipped, ${String(error)}`);
    return;
  }
  const options = { urls: [server.url], connections: CONNECTIONS };
  await using connection = new Connection({ ...options, timeoutMsMax: TIMEOUT_MS });
  const place = new Place(connection, server.url);
  console.log(
    `elasticsearch: ${documents} documents, message of 200 bytes, ${CONNECTIONS} connections, medians of ${ROUNDS}`,
  );
  // Java compiles at first, at a third of the processor time, which has nothing to do with documents.
  for (let round = 0; round < WARM_UPS; round++) for (const variant of variants) await place.cost(variant, documents);
  const rounds: ReadonlyMap<string, Cost>[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const costs = new Map<string, Cost>();
    // There and back again: none has always the same one before it.
    for (const variant of round % 2 === 0 ? variants : variants.toReversed())
      costs.set(variant.name, await place.cost(variant, documents));
    rounds.push(costs);
  }
  print(rounds);
}

class Place {
  readonly #connection: Connection;
  readonly #url: string;
  #pid = 0;

  constructor(connection: Connection, url: string) {
    this.#connection = connection;
    this.#url = url;
  }

  /** Of one document, where so many are loaded into an index of their own. */
  async cost({ layout, bodies }: Variant, documents: number): Promise<Cost> {
    const index = layout === undefined ? 'peer-logs' : 'logs-sluice.bench-default';
    if (layout !== undefined) await this.#setUp(layout, index);
    const waiting = bodies(documents, index);
    const before = await this.#cpuUs();
    await Promise.all(Array.from({ length: CONNECTIONS }, () => this.#send(waiting)));
    await this.#ask('POST', `/${index}/_flush`);
    await this.#merged(index);
    const cpuUs = (await this.#cpuUs()) - before;
    await this.#ask('POST', `/${index}/_forcemerge?max_num_segments=1`);
    await this.#ask('POST', `/${index}/_flush?force=true`);
    await this.#ask('POST', `/${index}/_refresh`);
    const stored = await this.#stored(index);
    if (stored.count !== documents) throw new Error(`${stored.count} of ${documents} documents are there`);
    await this.#ask('DELETE', layout === undefined ? `/${index}` : `/_data_stream/${index}`);
    return { cpuUs: cpuUs / documents, bytes: stored.bytes / documents };
  }

  async #setUp(layout: IndexLayout, stream: string): Promise<void> {
    const options = { urls: [this.#url], connections: 1, bulkTimeoutMs: TIMEOUT_MS, retentionMs: 86_400_000 };
    await using store = new ElasticsearchStore({ ...options, layout });
    const lines = await store.setup();
    if (lines.some((line) => line.startsWith('text:'))) throw new Error('the server cannot split text exactly');
    await this.#ask('PUT', `/_data_stream/${stream}`);
  }

  async #send(waiting: Buffer[]): Promise<void> {
    for (let body = waiting.shift(); body !== undefined; body = waiting.shift()) {
      const answer = await this.#ask('POST', '/_bulk?filter_path=errors', body);
      if (!answer.includes('"errors":false')) throw new Error(`Cannot load: ${answer}`);
    }
  }

  async #merged(index: string): Promise<void> {
    while (!(await this.#ask('GET', `/${index}/_stats/merge?filter_path=_all.total`)).includes('"current":0')) {
      await delay(200);
    }
  }

  async #stored(index: string): Promise<{ bytes: number; count: number }> {
    const text = await this.#ask('GET', `/${index}/_stats/store,docs?filter_path=_all.primaries`);
    const number = (name: string): number => Number(new RegExp(`"${name}":(\\d+)`).exec(text)?.[1]);
    return { bytes: number('size_in_bytes'), count: number('count') };
  }

  /** User and system time of all threads of the server's process. */
  async #cpuUs(): Promise<number> {
    this.#pid ||= Number(
      /"id":(\d+)/.exec(await this.#ask('GET', '/_nodes/process?filter_path=nodes.*.process.id'))?.[1],
    );
    const fields = readFileSync(`/proc/${this.#pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    const ticks = Number(fields[11]) + Number(fields[12]);
    return ticks * US_PER_TICK;
  }

  async #ask(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: Buffer): Promise<string> {
    const sent = body === undefined ? {} : { body, contentType: 'application/x-ndjson' };
    const { status, text } = await this.#connection.request({ method, path, timeoutMs: TIMEOUT_MS, ...sent });
    if (status !== 200) throw new Error(`${method} ${path} answered ${status}: ${text.slice(0, 500)}`);
    return text;
  }
}

/** USER_HZ is 100 on all that Elasticsearch runs on. */
const US_PER_TICK = 10_000;

function print(rounds: readonly ReadonlyMap<string, Cost>[]): void {
  const all = (name: string, what: keyof Cost): number[] => rounds.map((costs) => costs.get(name)?.[what] ?? NaN);
  for (const { name } of variants) {
    const [cpuUs, bytes] = [median(all(name, 'cpuUs')), median(all(name, 'bytes'))];
    console.log(`elasticsearch ${name}: ${cpuUs.toFixed(1)} us of CPU, ${bytes.toFixed(0)} bytes a document`);
  }
  const goal = (what: keyof Cost, [one, other]: readonly [string, string], most: number): void => {
    const others = all(other, what);
    // Those of one round belong together: the machine was as fast for both.
    const ratio = median(all(one, what).map((each, round) => each / (others[round] ?? NaN)));
    const kept = ratio <= most ? 'kept' : 'MISSED';
    const told = `${ratio.toFixed(2)} (goal: at most ${most.toFixed(2)}, ${kept})`;
    console.log(`elasticsearch ${what === 'bytes' ? 'bytes' : 'CPU'} of ${one} / ${other}: ${told}`);
  };
  goal('cpuUs', [ours, ownIds], 1.05);
  goal('cpuUs', [ours, peer], 0.7);
  goal('bytes', [ours, peer], 0.5);
  goal('bytes', [logsdb, peer], 0.4);
  goal('bytes', [withoutOriginal, peer], 0.4);
}
