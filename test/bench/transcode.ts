// msgpack entries → bulk bodies, without I/O: the indexer's hot loop alone. Prints million documents per CPU-second;
// and how many of them are left where lines are read for what they say, in turns with the same ones unread.

import { encode } from '@msgpack/msgpack';
import { BulkBody } from '#indexer/bulk/body.ts';
import { DocumentWriter } from '#indexer/parse/document/document.ts';
import { TraceGate } from '#indexer/parse/document/trace-gate.ts';
import { entryEnd } from '#shared/msgpack/extents.ts';
import type { Batch } from '#shared/record/record.ts';
import { median } from './parts/median.ts';

const ENTRIES = 2000;
const SECONDS = 1.5;
const ROUNDS = 5;
const ROUND_SECONDS = 0.4;
const BODY_BYTES = 4 * 1024 * 1024;

const CONTAINER_ID = '3f4e8a9b'.repeat(8);

function line(n: number, length: number): string {
  const text = `2026-01-02T03:04:05.678Z INFO request id=${(n * 2654435761) >>> 0} GET /api/v1/items/${n}?page=2 status=200 "ok" duration=12.4ms user=u${n % 97} agent=curl/8.1 `;
  return text.padEnd(length, 'abcdefghij ').slice(0, length);
}

function dockerRecord(n: number): Record<string, unknown> {
  return { container_id: CONTAINER_ID, container_name: '/shop-web-1', source: 'stdout', log: line(n, 148) };
}

/** As fluent-bit's kubernetes filter makes them; its parts that all lines of a pod share are longer than the line. */
function podRecord(n: number): Record<string, unknown> {
  return {
    stream: 'stdout',
    log: line(n, 90),
    kubernetes: {
      pod_name: 'web-7d9c5b6f4d-x2x7k',
      namespace_name: 'shop',
      pod_id: '0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0',
      labels: { app: 'web', 'pod-template-hash': '7d9c5b6f4d' },
      container_name: 'web',
      host: 'node-17',
    },
  };
}

const batch: Batch = {
  id: Buffer.alloc(16, 0xab),
  first: 0,
  count: ENTRIES,
  tag: 'docker.shop-web-1',
  input: 'forward',
  tenant: null,
  receivedMs: Date.UTC(2026, 0, 2, 3, 4, 5),
  seq: 1_767_323_045_000_000,
  sender: 'node-17',
  version: 2,
  chain: null,
};

/** One entry: fixarray, EventTime, record. */
function entryOf(n: number, record: Record<string, unknown>): Buffer {
  const head = Buffer.from([0x92, 0xd7, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  head.writeUInt32BE(1_767_323_045 + Math.floor(n / 1000), 3);
  head.writeUInt32BE((n * 1_234_567) % 1_000_000_000, 7);
  return Buffer.concat([head, encode(record)]);
}

function measure(name: string, record: (n: number) => Record<string, unknown>, entriesPerBatch: number): void {
  const run = Buffer.concat(Array.from({ length: ENTRIES }, (_, n) => entryOf(n, record(n))));
  const body = new BulkBody();
  const writer = new DocumentWriter(body);
  let documents = 0;
  let bytes = 0;
  const pass = (): void => {
    let at = 0;
    for (let n = 0; n < ENTRIES; n += 1) {
      if (n % entriesPerBatch === 0)
        writer.startBatch(n % 2 === 0 ? batch : { ...batch }, batch.receivedMs + documents);
      const end = entryEnd(run, at, run.length);
      writer.write(run, at, end, n);
      at = end;
      if (body.length < BODY_BYTES) continue;
      const request = body.request();
      documents += request.items.length;
      bytes += request.body.length;
      body.release(request);
    }
  };
  for (let i = 0; i < 100; i += 1) pass();
  documents = 0;
  bytes = 0;
  const before = process.cpuUsage();
  let spent = 0;
  while (spent < SECONDS * 1e6) {
    pass();
    const usage = process.cpuUsage(before);
    spent = usage.user + usage.system;
  }
  const rate = (documents / spent).toFixed(2);
  const entryBytes = Math.round(run.length / ENTRIES);
  console.log(
    `transcode ${name}: ${rate} M documents/CPU-s (${entryBytes} bytes in, ${Math.round(bytes / documents)} out)`,
  );
}

const jsonLine = (n: number): string =>
  JSON.stringify({
    level: 30,
    time: 1_767_323_045_678 + n,
    pid: 7,
    hostname: 'web-1',
    reqId: `${n}`,
    msg: 'request completed',
    status: 200,
    took: (n % 977) / 10,
    path: `/api/v1/items/${n}`,
    user: `u${n % 97}`,
  });

/** As an indexer for Elasticsearch does it, whatever else it does not counted. */
function parsing(name: string, textOf: (n: number) => string): void {
  const entries = Array.from({ length: ENTRIES }, (_, n) => entryOf(n, { ...dockerRecord(n), log: textOf(n) }));
  const run = Buffer.concat(entries);
  const body = new BulkBody();
  const rateOf = (parse: boolean): number => {
    const writer = new DocumentWriter(body, { parse, listsNumbers: true, ...(parse && { traces: new TraceGate() }) });
    writer.startBatch(batch, batch.receivedMs);
    let documents = 0;
    let spent = 0;
    for (const before = process.cpuUsage(); spent < ROUND_SECONDS * 1e6; documents += ENTRIES) {
      for (let n = 0, at = 0; n < ENTRIES; at += entries[n]?.length ?? 0, n += 1) {
        writer.write(run, at, at + (entries[n]?.length ?? 0), n);
        if (body.length >= BODY_BYTES) body.release(body.request());
      }
      const usage = process.cpuUsage(before);
      spent = usage.user + usage.system;
    }
    return documents / spent;
  };
  for (const parse of [true, false]) rateOf(parse);
  const rounds = Array.from({ length: ROUNDS }, () => ({ read: rateOf(true), unread: rateOf(false) }));
  const [read, unread] = [median(rounds.map((each) => each.read)), median(rounds.map((each) => each.unread))];
  const kept = ((100 * read) / unread).toFixed(0);
  console.log(
    `transcode ${name}: ${read.toFixed(2)} M documents/CPU-s, unread ${unread.toFixed(2)}: ${kept} % are left`,
  );
}

export async function run(): Promise<void> {
  measure('docker', dockerRecord, ENTRIES);
  measure('docker, a batch an entry', dockerRecord, 1);
  measure('kubernetes', podRecord, ENTRIES);
  parsing('time LEVEL text', (n) => line(n, 180));
  parsing('text', (n) => `a request: ${line(n, 180)}`);
  parsing('JSON lines', jsonLine);
  return Promise.resolve();
}

if (import.meta.main) await run();
