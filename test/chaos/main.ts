// `npm run chaos -- [--minutes N] [--faults N] [--rate N] [--seed S] [--short] [--keep] [--json]`
//
// Real processes under load (three brokers, Elasticsearch, two forwarders, three indexers, Forward senders with acks)
// are killed, frozen, cut off and run out of disk after a seeded schedule; at the end every event is counted. Exits 0
// only if nothing was lost or doubled, every event destroyed on purpose was reported, and enough went wrong for that to
// mean something.
//
// Whatever happens to this process, what it started ends with it, and so do its mounts: as root it runs in a mount
// namespace of its own.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runChaos } from './chaos.ts';
import { kindNames } from './schedule.ts';
import { tableOf, verdictOf } from './verdict.ts';

const unshare = '/usr/bin/unshare';
const insideVariable = 'SLUICE_TEST_CHAOS_NAMESPACE';
const faultsPerMinute = 7;
const full = { minutes: 30, rate: 2400, lastsMsMax: 60_000, bar: { faultsOfEachKind: 5, shareInFlight: 0.5 } };
/** Each kind once, for CI. */
const short = {
  minutes: 1.5,
  rate: 1200,
  faults: kindNames.length,
  lastsMsMax: 20_000,
  bar: { faultsOfEachKind: 1, shareInFlight: 0.5 },
};

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    faults: { type: 'string' },
    rate: { type: 'string' },
    seed: { type: 'string' },
    short: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});

const isRoot = process.getuid?.() === 0;
if (isRoot && process.env[insideVariable] === undefined) enterNamespace();
// Whatever still asks after servers that are gone does not keep us.
process.exit(await main());

async function main(): Promise<number> {
  const plan = values.short ? short : full;
  const minutes = Number(values.minutes ?? plan.minutes);
  const eventsPerSecond = Number(values.rate ?? plan.rate);
  const faults = Number(values.faults ?? (values.short ? short.faults : Math.ceil(minutes * faultsPerMinute)));
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32));
  const home = mkdtempSync(join(tmpdir(), 'sluice-chaos-'));
  const [dataDir, logDir] = [join(home, 'data'), join(home, 'logs')];
  for (const folder of [dataDir, logDir]) mkdirSync(folder);

  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => stop.abort(new Error(signal)));
  const say = (line: string): void => console.error(`chaos: ${line}`);
  say(`seed ${seed}, ${faults} faults in ${minutes} minutes, ${eventsPerSecond} events a second; logs in ${logDir}`);

  let isClean = false;
  try {
    const { bar, lastsMsMax } = plan;
    const options = { seed, minutes, faults, lastsMsMax, eventsPerSecond, bar, dataDir, logDir };
    const { facts, lost, duplicated } = await runChaos({ ...options, mayMount: isRoot, signal: stop.signal, say });
    const verdict = verdictOf(facts);
    isClean = verdict.verdict === 'clean';
    for (const line of lost) say(`lost: ${line}`);
    for (const line of duplicated) say(`duplicated: ${line}`);
    if (values.json) console.log(JSON.stringify({ ...verdict, ...facts, lost, duplicated }));
    else for (const line of tableOf(facts)) console.log(line);
    for (const reason of verdict.reasons) say(reason);
    say(`verdict: ${verdict.verdict}`);
  } catch (error) {
    say(stop.signal.aborted ? 'stopped before the end: no verdict' : `no verdict: ${String(error)}`);
  } finally {
    rmSync(dataDir, { recursive: true, force: true, maxRetries: 3 });
    if (isClean && !values.keep) rmSync(home, { recursive: true, force: true });
    else say(`the logs are kept in ${logDir}`);
  }
  return isClean ? 0 : 1;
}

/** Runs this program again, in the same process, where its mounts are its own. */
function enterNamespace(): void {
  const args = ['unshare', '--mount', process.execPath, ...process.argv.slice(1)];
  try {
    process.execve?.(unshare, args, { ...process.env, [insideVariable]: '1' });
  } catch (error) {
    console.error(`chaos: no mount namespace of its own: ${String(error)}`);
  }
}
