// Load for a process under test: starts a sender (load-sender.ts), and measures what the process spends while it is sent to.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { ProcessUnderTest } from './child-process.ts';
import type { Measured } from './figures.ts';
import type { LoadPlan, LoadReport } from './load-sender.ts';

const PRODUCED = 'sluice_events_produced_total';
/** In which the compiler gets to know the load. */
const WARM_MS = 1500;

export interface LoadOptions extends Omit<LoadPlan, 'port'> {
  readonly seconds: number;
  /** Events per second; null: as fast as they are taken. */
  readonly rate: number | null;
}

/** Loads the process for `seconds` and waits until all that was sent is produced. Rejects if any of it is missing, or doubled. */
export async function load(sluice: ProcessUnderTest, { seconds, rate, ...plan }: LoadOptions): Promise<Measured> {
  const producedBefore = await sluice.counter(PRODUCED);
  const child = fork(new URL('load-sender.ts', import.meta.url), [
    JSON.stringify({ ...plan, port: sluice.forwardPort }),
  ]);
  await told(child, 'ready');
  child.send({ send: rate });
  await delay(WARM_MS);
  child.send({ mark: true });
  await told(child, 'marked');
  const before = await stand(sluice);
  await delay(seconds * 1000);
  const after = await stand(sluice);
  child.send({ stop: true });
  const report = await told<LoadReport>(child, 'sent');
  await once(child, 'exit');
  await settled(sluice, producedBefore + report.sent);
  return {
    events: after.produced - before.produced,
    seconds: (after.ms - before.ms) / 1000,
    cpuSeconds: after.cpu - before.cpu,
    peakMib: sluice.peakMiB(),
    latency: plan.acks ? `p50 ${report.p50Ms.toFixed(1)} ms, p99 ${report.p99Ms.toFixed(1)} ms` : '',
  };
}

async function stand(sluice: ProcessUnderTest): Promise<{ produced: number; cpu: number; ms: number }> {
  const produced = await sluice.counter(PRODUCED);
  return { produced, cpu: sluice.cpuSeconds(), ms: performance.now() };
}

/** Sends what was taken is held: not one less, not one more. */
async function settled(sluice: ProcessUnderTest, events: number): Promise<void> {
  let produced = await sluice.counter(PRODUCED);
  for (const sinceMs = performance.now(); produced < events && performance.now() - sinceMs < 10_000;) {
    await delay(50);
    produced = await sluice.counter(PRODUCED);
  }
  const imbalance = await sluice.counter('sluice_ledger_imbalance');
  if (produced !== events || imbalance !== 0) {
    throw new Error(`Cannot trust the figures: ${events} events were sent, ${produced} held, imbalance ${imbalance}`);
  }
}

/** The next message that has `name`; rejects if the process ends first. */
async function told<T>(child: ChildProcess, name: string): Promise<T> {
  const ended = new AbortController();
  const exit = (): void => ended.abort(new Error('the sender ended'));
  child.once('exit', exit);
  try {
    for (;;) {
      const [message]: T[] = await once(child, 'message', { signal: ended.signal });
      if (typeof message === 'object' && message !== null && name in message) return message;
    }
  } finally {
    child.off('exit', exit);
  }
}
