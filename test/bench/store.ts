// What the embedded store spends on a document, and how soon it finds one: bytes of its file, documents per CPU-second of
// its thread, memory, searches and counts. Containers' lines of 200 bytes, in batches of 1,000 events and in batches of
// one; either way a bulk request has some hundred documents at least. `--documents N` loads more of them.

import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DocumentDatabase } from '#shared/store/embedded/database.ts';
import type { CountStart } from '#shared/store/embedded/search/row-page.ts';
import { documentsOf } from '#shared/store/embedded/store.ts';
import { parseQuery } from '#shared/store/query/parser.ts';
import type { BulkRequest, StoreQuery } from '#shared/store/store.ts';
import { ourRequests } from './parts/store-documents.ts';
import { runWhole } from './parts/store-whole.ts';

const EVENTS = 200_000;
const REQUEST_BYTES = 420 * 1024;
const DAY_MS = 86_400_000;
const REPEATS = 5;
const MINUTE_MS = 60_000;

interface Options {
  readonly documents?: number;
}

export async function run(options: Options = {}): Promise<void> {
  const events = options.documents ?? EVENTS;
  for (const perBatch of [1000, 1]) {
    await runOne(events, perBatch);
    // In batches of one, most of it would be what the queue and the sender wait for each other.
    if (perBatch > 1) await runWhole(events, perBatch);
  }
}

async function runOne(events: number, perBatch: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-store-'));
  try {
    const options = { folder, readOnly: false, retentionMs: 3650 * DAY_MS, namesMax: 10_000 };
    let database = new DocumentDatabase(options);
    let cpuUs = 0;
    let rare = '';
    let written = 0;
    for (const request of ourRequests(events, { perBatch, bytes: REQUEST_BYTES, listsNumbers: false })) {
      const half = written <= events / 2;
      written += request.items.length;
      if (half && written > events / 2) rare = wordOf(request);
      const before = process.cpuUsage();
      database.write(documentsOf(request));
      while (database.merge());
      const { user, system } = process.cpuUsage(before);
      cpuUs += user + system;
    }
    database.checkpoint();
    database.close();
    const { size } = await stat(join(folder, 'documents.sqlite'));
    console.log(`store: ${events} lines of 200 bytes, batches of ${perBatch}`);
    console.log(`  ${(size / events).toFixed(1)} bytes per document`);
    console.log(`  ${Math.round((events / cpuUs) * 1e3)} k documents per CPU-second`);
    console.log(`  ${Math.round(process.resourceUsage().maxRSS / 1024)} MB at the peak, with all that makes the load`);
    database = new DocumentDatabase(options);
    const newest = { order: 'newest', limit: 100 } as const;
    time(database, 'newest 100', newest);
    time(database, 'newest 100 of a common word', { ...newest, text: 'upstream' });
    time(database, 'newest 100 of a word in one of 70', { ...newest, text: '"status 404" ERROR' });
    time(database, 'newest 100 of a word in one of 900', { ...newest, text: '899' });
    time(database, 'the same in a field', { ...newest, where: whereOf('message:899') });
    time(database, 'newest 100 of a container', { ...newest, name: 'shop-web-7' });
    time(database, 'newest 100 of a field', { ...newest, where: whereOf('level:error') });
    time(database, `a rare word (${rare})`, { ...newest, text: rare });
    time(database, 'a word that is nowhere', { ...newest, text: 'nowhere' });
    timeCount(database);
    console.log(`  ${Math.round(process.resourceUsage().maxRSS / 1024)} MB at the peak, with the searches`);
    database.close();
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The pages that a search takes, one after another. */
function time(database: DocumentDatabase, what: string, query: StoreQuery): void {
  const spent: number[] = [];
  let found = 0;
  for (let i = 0; i < REPEATS; i++) {
    const start = performance.now();
    found = 0;
    let after: StoreQuery['after'];
    for (;;) {
      const page = database.page({ ...query, limit: query.limit - found, ...(after && { after }) }, Infinity);
      found += page.rows.length;
      if (page.isLast || found >= query.limit || page.next === undefined) break;
      after = page.next;
    }
    spent.push(performance.now() - start);
  }
  const [first = 0] = spent;
  console.log(`  ${what}: ${found} in ${first.toFixed(1)} ms, again ${Math.min(...spent).toFixed(1)} ms`);
}

/** How many there are in each minute. */
function timeCount(database: DocumentDatabase): void {
  const spent: number[] = [];
  let minutes = 0;
  for (let i = 0; i < REPEATS; i++) {
    const start = performance.now();
    const spans = new Set<number>();
    for (let rows: CountStart['rows'] = null; ;) {
      const counted = database.count({ query: { order: 'newest', limit: 0 }, rows, everyMs: MINUTE_MS });
      for (const span of counted.spans?.keys() ?? []) spans.add(span);
      rows = counted.next;
      if (rows === null) break;
    }
    spent.push(performance.now() - start);
    minutes = spans.size;
  }
  const [first = 0] = spent;
  console.log(`  count by minute: ${minutes} in ${first.toFixed(1)} ms, again ${Math.min(...spent).toFixed(1)} ms`);
}

function whereOf(text: string) {
  const parsed = parseQuery(text, { nowMs: 0 });
  if ('mistake' in parsed) throw new Error(parsed.mistake.message);
  return parsed.where;
}

/** `request=` of a line in its middle. */
function wordOf({ body, items }: BulkRequest): string {
  const { docStart = 0, docEnd = 0 } = items.at(Math.floor(items.length / 2)) ?? {};
  const text = Buffer.from(body.buffer, body.byteOffset + docStart, docEnd - docStart).toString();
  return /request=(\w+)/.exec(text)?.[1] ?? 'request';
}
