// How far behind a running tail is: from a line's way into `POST` to its way out of `/api/tail`, and of
// `sluice logs -f` in a process of its own, at a steady rate. What is measured is the whole way: queue, indexer, store,
// reader. It needs a machine that does nothing else. `--rate N` lines a second, for `--seconds N`.

import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '#test/backends/free-port.ts';
import { cpuSecondsOf, type ProcessUnderTest, startUnderTest } from '../parts/child-process.ts';

const RATE = 10_000;
const SECONDS = 20;
/** Lines go out so often. */
const STEP_MS = 50;
const FILL = 'GET /index.html upstream timed out while reading response header from upstream, client 10.0.0.1 '.repeat(
  2,
);
/** What is not there by then is lost. */
const LATE_MS = 20_000;
const LINE = /line (\d+) at (\d+)/;
const INGESTED = /"ingested":"([^"]+)"/;

interface Options {
  readonly rate?: number;
  readonly seconds?: number;
}

/** Reads what comes, line by line. */
class Reader {
  /** Since a line was sent, and since it was indexed: a machine that is busy makes the former long. */
  readonly #sinceSent: number[] = [];
  readonly #sinceIndexed: number[] = [];
  readonly #numbers = new Set<number>();
  doubled = 0;
  #rest = '';

  get received(): number {
    return this.#numbers.size;
  }

  read(chunk: string): void {
    const nowMs = Date.now();
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const [, number, sentMs] = LINE.exec(line) ?? [];
      if (number === undefined) continue;
      if (this.#numbers.has(Number(number))) this.doubled += 1;
      this.#numbers.add(Number(number));
      this.#sinceSent.push(nowMs - Number(sentMs));
      const [, indexed = ''] = INGESTED.exec(line) ?? [];
      this.#sinceIndexed.push(nowMs - Date.parse(indexed));
    }
  }

  told(name: string, sent: number): string {
    const lost = `${sent - this.received} did not come, ${this.doubled} twice`;
    const lags = `behind the sender ${shares(this.#sinceSent)}; behind the indexer ${shares(this.#sinceIndexed)}`;
    return `  ${name}: ${lags}; ${lost}`;
  }
}

function shares(lags: readonly number[]): string {
  const sorted = lags.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
  return `${at(0.5)} ms (p50), ${at(0.99)} ms (p99)`;
}

export async function run({ rate = RATE, seconds = SECONDS }: Options = {}): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-bench-tail-'));
  const port = await freePort();
  const env = { SLUICE_DATA_DIR: dataDir, SLUICE_READ_LISTEN: `127.0.0.1:${port}` };
  try {
    await using sluice = await startUnderTest('run', env);
    const [tail, logs] = [new Reader(), new Reader()];
    const stop = new AbortController();
    const response = await fetch(`http://127.0.0.1:${port}/api/tail`, { signal: stop.signal });
    const reading = readAll(response, tail).catch(() => undefined);
    const args = ['dist/sluice.js', 'logs', '-f', '-n', '0', '--json'];
    const follower = spawn(process.execPath, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    follower.stdout.setEncoding('utf8').on('data', (chunk: string) => logs.read(chunk));
    // Until it follows.
    await delay(3000);
    const before = sluice.cpuSeconds();
    const sent = await sendAll(sluice, rate, seconds);
    const endMs = Date.now() + LATE_MS;
    while (Math.min(tail.received, logs.received) < sent && Date.now() < endMs) await delay(100);
    console.log(`tail: ${rate} lines of 200 bytes a second for ${seconds} s`);
    console.log(tail.told('/api/tail', sent));
    console.log(logs.told('sluice logs -f', sent));
    const cpu = `${(sluice.cpuSeconds() - before).toFixed(1)} CPU-seconds, with the tail`;
    console.log(`  sluice run: ${cpu}; sluice logs -f: ${cpuSecondsOf(follower.pid).toFixed(1)}`);
    stop.abort();
    follower.kill();
    await reading;
  } finally {
    await rm(dataDir, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function readAll({ body }: Response, reader: Reader): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of body ?? []) reader.read(decoder.decode(chunk, { stream: true }));
}

/** Resolves to how many lines were acknowledged. */
async function sendAll(sluice: ProcessUnderTest, rate: number, seconds: number): Promise<number> {
  const startMs = Date.now();
  let sent = 0;
  while (sent < rate * seconds) {
    const due = Math.min(rate * seconds, Math.floor((rate * (Date.now() - startMs)) / 1000));
    const lines: string[] = [];
    for (; sent < due; sent++) lines.push(JSON.stringify({ message: `line ${sent} at ${Date.now()} ${FILL}` }));
    if (lines.length > 0) {
      const headers = { 'content-type': 'application/x-ndjson' };
      const url = `http://127.0.0.1:${sluice.httpPort}/app.web`;
      const { ok, status } = await fetch(url, { method: 'POST', headers, body: lines.join('\n') });
      if (!ok) throw new Error(`sluice run answers ${status}`);
    }
    await delay(STEP_MS);
  }
  return sent;
}
