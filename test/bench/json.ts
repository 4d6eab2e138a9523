// How fast JSON bodies become entries: the HTTP input's own work on each byte.
// Run alone: `node test/bench/json.ts`.

import assert from 'node:assert/strict';
import { ndjsonEntries } from '#forwarder/decode/http/ndjson.ts';

const LINES = 3000;
const ROUNDS = 100;
const OPTIONS = { time: { seconds: 1_700_000_000, nanoseconds: 0 }, takeTime: true, bytesMax: 64 * 1024 * 1024 };

export async function run(): Promise<void> {
  report('container logs', containerLine);
  report('access logs of many short fields', accessLine);
  report('stack traces, full of escapes', traceLine);
}

function report(what: string, line: (i: number) => unknown): void {
  const body = Buffer.from(Array.from({ length: LINES }, (_, i) => JSON.stringify(line(i))).join('\n'));
  const work = () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const result = ndjsonEntries(body, OPTIONS);
      assert(result.kind === 'entries' && result.count === LINES);
    }
  };
  work(); // Once for the compiler.
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  const seconds = (user + system) / 1e6;
  const bytes = body.length * ROUNDS;
  const events = LINES * ROUNDS;
  const speed = `${Math.round(bytes / seconds / 1e6)} MB/s, ${(events / seconds / 1e6).toFixed(2)} M events per CPU-second`;
  console.log(`NDJSON to entries, ${what} (${Math.round(bytes / events)} bytes each): ${speed}`);
}

const containerLine = (i: number) => ({
  container_id: '4f1c8d4a9c3e7b2f'.repeat(4),
  container_name: '/shop-checkout-1',
  source: i % 7 === 0 ? 'stderr' : 'stdout',
  log: `2026-11-21T03:45:${String(i % 60).padStart(2, '0')}.123Z INFO checkout order=${i} took ${i % 900} ms, everything went as it should for customer ${i * 7919}`,
});

const accessLine = (i: number) => ({
  time: 1_700_000_000 + i / 1000,
  method: 'GET',
  path: `/api/v2/items/${i}`,
  status: i % 11 === 0 ? 404 : 200,
  bytes: i * 37,
  duration: (i % 1000) / 1000 + 0.0001,
  client: { ip: `10.0.${i % 256}.${(i * 7) % 256}`, port: 1024 + i },
  cached: i % 2 === 0,
  user: null,
});

const traceLine = (i: number) => ({
  level: 'error',
  message: `Error: "order ${i}" failed\n\tat Checkout.pay (C:\\shop\\checkout.js:${i}:17)\n\tat process.run (C:\\shop\\run.js:12:3)\n`,
});

if (import.meta.main) await run();
