// `npm run siege -- [--backend embedded|kafka] [--short] [--minutes N] [--peers N] [--rate N] [--seed S] [--memory MiB]
// [--rss MiB] [--json] [--keep]`
//
// Every listener and dialect at once, under everything hostile that is known and what a generator finds worse, with
// thousands of bad peers; good senders with acks and /livez go on meanwhile. Prints a table and a verdict: clean,
// broken (and which bar was missed) or inconclusive. Exits 0 only if it is clean.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runSiege } from './siege.ts';
import { tableOf, verdictOf } from './verdict.ts';
import type { Backend } from './world.ts';

const MIB = 1024 * 1024;
const full = { minutes: 30, peers: 5000, rateShareMin: 0.75, turnShareMax: 0.001, turnSecondsMax: 0.1 };
/**
 * For CI, whose machines are busy and whose runs have few turns: the rate is only told, and turns that collect garbage
 * may be more of them.
 */
const short = { minutes: 1, peers: 1000, rateShareMin: null, turnShareMax: 0.01, turnSecondsMax: 0.2 };
/**
 * MiB of memory: the limit, and what may be used of it. All in one does the work of both, and has the store and its
 * caches in itself.
 */
const memory = { kafka: { limit: 512, rss: 400 }, embedded: { limit: 768, rss: 600 } };
/** What is not calm is a third of searching, two thirds of siege. */
const calmShare = 1 / 6;
const calmMsMax = 120_000;
const searchShare = 1 / 3;

const { values } = parseArgs({
  options: {
    backend: { type: 'string', default: 'embedded' },
    short: { type: 'boolean', default: false },
    minutes: { type: 'string' },
    peers: { type: 'string' },
    rate: { type: 'string', default: '1000' },
    seed: { type: 'string' },
    memory: { type: 'string' },
    rss: { type: 'string' },
    json: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
});
process.exit(await main());

async function main(): Promise<number> {
  const { backend } = values;
  if (!isBackend(backend)) {
    console.error(`siege: Cannot besiege "${backend}": the backends are embedded and kafka`);
    return 2;
  }
  const plan = values.short ? short : full;
  const minutes = Number(values.minutes ?? plan.minutes);
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32));
  const logDir = mkdtempSync(join(tmpdir(), 'sluice-siege-'));
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => stop.abort(new Error(signal)));
  const say = (line: string): void => console.error(`siege: ${line}`);
  say(`seed ${seed}, ${minutes} minutes, ${backend}; logs in ${logDir}`);
  let isClean = false;
  try {
    const result = await runSiege({
      backend,
      seed,
      ...phasesOf(minutes * 60_000),
      peers: Number(values.peers ?? plan.peers),
      eventsPerSecond: Number(values.rate),
      memoryBytesMax: Number(values.memory ?? memory[backend].limit) * MIB,
      bars: {
        turnShareMax: plan.turnShareMax,
        turnSeconds: 0.02,
        turnSecondsMax: plan.turnSecondsMax,
        rssBytesMax: Number(values.rss ?? memory[backend].rss) * MIB,
        rateShareMin: plan.rateShareMin,
      },
      logDir,
      signal: stop.signal,
      say,
    });
    const verdict = verdictOf(result.facts);
    isClean = verdict.verdict === 'clean';
    print(result, verdict);
    for (const reason of verdict.reasons) say(reason);
    say(`verdict: ${verdict.verdict}`);
  } catch (error) {
    say(stop.signal.aborted ? 'stopped before the end: no verdict' : `no verdict: ${String(error)}`);
  } finally {
    if (isClean && !values.keep) rmSync(logDir, { recursive: true, force: true });
  }
  return isClean ? 0 : 1;
}

function phasesOf(allMs: number): { calmMs: number; searchMs: number; siegeMs: number } {
  const calmMs = Math.min(calmMsMax, allMs * calmShare);
  const searchMs = (allMs - calmMs) * searchShare;
  return { calmMs, searchMs, siegeMs: allMs - calmMs - searchMs };
}

/** The facts and what was told meanwhile: as JSON, or as a table. */
function print({ facts, told }: Awaited<ReturnType<typeof runSiege>>, verdict: ReturnType<typeof verdictOf>): void {
  if (values.json) {
    console.log(JSON.stringify({ ...verdict, ...facts, told }));
    return;
  }
  for (const line of tableOf(facts)) console.log(line);
  console.log(`answers                         ${JSON.stringify(told.answers)}`);
  const worst = told.worst.toSorted((a, b) => b.turnSeconds - a.turnSeconds || b.cpuUsPerByte - a.cpuUsPerByte);
  console.log('costliest inputs: us of the main thread a byte sent; longest turn; memory a byte sent; answer');
  for (const { input, cpuUsPerByte, turnSeconds, memoryPerByte, said } of worst) {
    console.log(
      `  ${cpuUsPerByte.toFixed(3)}  < ${turnSeconds * 1000} ms  ${memoryPerByte.toFixed(1)}  ${said}  ${input}`,
    );
  }
}

function isBackend(text: string): text is Backend {
  return text === 'embedded' || text === 'kafka';
}
