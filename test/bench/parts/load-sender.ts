// A sender of Forward frames for the benchmark, as a process of its own: it makes its frames beforehand, so that it
// costs little while it sends.
//   node load-sender.ts PORT MODE SECONDS CONNECTIONS [RATE]
//
// MODE is packed, gzip (both with acks), message (no acks) or single (one event with an ack at a time).
// Each connection sends as soon as it may; with RATE, all together so many chunks a second, whatever is acked, and
// packed or gzip only. Prints {"sent", "acked", "p50Ms", "p99Ms"} as JSON; with RATE the latencies leave out the first
// two seconds, in which code is compiled.

import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { encode } from '@msgpack/msgpack';

const ENTRIES = 1500;
const RUNS = 8;
/** Chunks that a connection has on their way, with acks. */
const WINDOW = 3;
const ACK_HEAD = Buffer.from([0x81, 0xa3, 0x61, 0x63, 0x6b]);
const CONTAINER_ID = '3f4e8a9b'.repeat(8);

const [port, mode, seconds, connections, rate] = process.argv.slice(2);
const endMs = Date.now() + Number(seconds) * 1000;
const WARM_UP_MS = 2000;
const warmMs = rate === undefined ? 0 : performance.now() + WARM_UP_MS;
const latenciesMs: number[] = [];
let sent = 0;
let acked = 0;

/** A record of Docker's driver; the entry has about 320 bytes. */
function recordOf(n: number): Record<string, string> {
  const id = (Math.imul(n, 2654435761) >>> 0).toString(16);
  const log = `${new Date(1.7e12 + n * 13).toISOString()} INFO request=${id} GET /api/v1/items/${n}?page=2 status=200 "ok" duration=${n % 977}.4ms user=u${n % 97} agent=curl/8.1`;
  return {
    container_id: CONTAINER_ID,
    container_name: '/shop-web-1',
    source: 'stdout',
    log: log.padEnd(180, ' abcdefgh'),
  };
}

const runs: Uint8Array[] = Array.from({ length: RUNS }, (_, run) =>
  Buffer.concat(Array.from({ length: ENTRIES }, (__, i) => encode([1_700_000_000 + i, recordOf(run * ENTRIES + i)]))),
);
const packed = runs.map((run) => (mode === 'gzip' ? gzipSync(run, { level: 1 }) : run));
const messages = Array.from({ length: RUNS }, (_, run) =>
  Buffer.concat(
    Array.from({ length: ENTRIES }, (__, i) => encode(['bench.web', 1_700_000_000 + i, recordOf(run * ENTRIES + i)])),
  ),
);

function chunkFrame(connection: number, n: number): Buffer {
  const chunk = `${process.pid}-${connection}-${n}`;
  if (mode === 'single') return Buffer.from(encode([`bench.${connection}`, 1_700_000_000, recordOf(n), { chunk }]));
  const option = { size: ENTRIES, chunk, ...(mode === 'gzip' ? { compressed: 'gzip' } : {}) };
  return Buffer.from(encode([`bench.${connection}`, packed[n % RUNS], option]));
}

async function runConnection(connection: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect(Number(port), '127.0.0.1');
  const window = mode === 'single' ? 1 : WINDOW;
  const events = mode === 'single' ? 1 : ENTRIES;
  const sentAtMs: number[] = [];
  let n = 0;
  const send = (): void => {
    socket.write(chunkFrame(connection, n++));
    sentAtMs.push(performance.now());
    sent += events;
  };
  const fill = (): void => {
    if (Date.now() >= endMs) {
      if (sentAtMs.length === 0) socket.end();
      return;
    }
    if (rate !== undefined) return;
    if (mode === 'message') {
      while (socket.write(messages[n++ % RUNS] ?? Buffer.alloc(0)) && Date.now() < endMs) sent += ENTRIES;
      sent += ENTRIES;
      if (Date.now() >= endMs) socket.end();
      return;
    }
    while (sentAtMs.length < window) send();
  };
  /** By the clock, so that a slow answer delays nothing that comes after it. */
  const pace = (): void => {
    const sinceMs = performance.now();
    const perMs = Number(rate) / Number(connections) / 1000;
    const timer = setInterval(() => {
      if (Date.now() < endMs) {
        while (n < (performance.now() - sinceMs) * perMs) send();
        return;
      }
      clearInterval(timer);
      fill();
    }, 1);
  };
  socket.on('connect', rate === undefined ? fill : pace);
  socket.on('drain', fill);
  socket.on('data', (answers: Buffer) => {
    for (let at = answers.indexOf(ACK_HEAD); at >= 0; at = answers.indexOf(ACK_HEAD, at + 1)) {
      const sentMs = sentAtMs.shift() ?? 0;
      if (sentMs >= warmMs) latenciesMs.push(performance.now() - sentMs);
      acked += events;
    }
    fill();
  });
  socket.on('error', reject);
  socket.on('close', resolve);
  await promise;
}

await Promise.all(Array.from({ length: Number(connections) }, (_, connection) => runConnection(connection)));
latenciesMs.sort((a, b) => a - b);
const quantile = (q: number): number => latenciesMs[Math.floor(latenciesMs.length * q)] ?? 0;
process.stdout.write(JSON.stringify({ sent, acked, p50Ms: quantile(0.5), p99Ms: quantile(0.99) }));
