// The indexer as a job: reads the partitions that it is given up to their ends as of its start, passes on unfinished
// lines, commits, leaves the group, and ends. For jobs that a scheduler or an autoscaler starts from zero.

import { buildCore, type IndexerOptions } from '../pipeline/core.ts';
import { fetchBytesMax } from '../unpack/bytes-in-hand.ts';
import { PartitionReader, agesOf } from '../consume/reader.ts';

/** Between a commit that failed and the next one. */
const RETRY_MS = 250;

export interface DrainOutcome {
  /** Everything up to the ends has its outcome, and is committed. */
  readonly drained: boolean;
  /** What is left, in a sentence; null where nothing is. */
  readonly left: string | null;
  /** Events by what became of them. */
  readonly counts: Readonly<Record<string, number>>;
}

export interface DrainOptions extends IndexerOptions {
  /** Ends the job, with what is left told. */
  readonly signal: AbortSignal;
  readonly maxSeconds?: number | undefined;
}

export async function drainIndexer(options: DrainOptions): Promise<DrainOutcome> {
  const { config, queue, store, clock, random, signal } = options;
  const core = buildCore(options, () => agesOf(reader.assignment, clock.epochMs()));
  const { pipeline, budget, telemetry, ledger, writer, commitDelay, opener } = core;
  // A job that is given little time must get on nevertheless.
  const commitDelayMs = Math.min(commitDelay.commitDelayMs, ((options.maxSeconds ?? Infinity) * 1000) / 2);
  let changed = Promise.withResolvers<void>();
  const reader: PartitionReader = new PartitionReader({
    ...commitDelay,
    commitDelayMs,
    queue,
    pipeline,
    budget,
    telemetry,
    clock,
    random,
    group: config['kafka.group'],
    fetchBytesMax: fetchBytesMax(config['indexer.inflight_max_bytes']),
    toEnds: true,
    changed: () => changed.resolve(),
  });
  const over = new AbortController();
  const giveUp = (): void => {
    over.abort();
    writer.stop();
    changed.resolve();
  };
  // The signal may have come while the queue and the store were opened.
  if (signal.aborted) giveUp();
  else signal.addEventListener('abort', giveUp, { once: true });
  const limit = options.maxSeconds === undefined ? null : clock.timer(options.maxSeconds * 1000, giveUp);

  telemetry.started(store.kind, queue.kind);
  reader.start();
  let isDone = false;
  while (!isDone && !over.signal.aborted) {
    await changed.promise;
    changed = Promise.withResolvers();
    if (!reader.atEnds) continue;
    const { assignment } = reader;
    await Promise.race([pipeline.finish(), whenAborted(over.signal)]);
    // A partition that came or went meanwhile is looked at again.
    isDone = !over.signal.aborted && reader.assignment === assignment && reader.atEnds && (await reader.commit());
    if (isDone) break;
    await clock.sleep(RETRY_MS, over.signal).catch(() => undefined);
    changed.resolve();
  }
  limit?.[Symbol.dispose]();
  signal.removeEventListener('abort', giveUp);
  const held = reader.heldReason;
  if (held !== null) isDone = false;
  const why = signal.aborted
    ? 'it was stopped'
    : (held ??
      reader.unreadyReason ??
      writer.unhealthyReason ??
      writer.commitUnhealthyReason ??
      opener.unhealthyReason ??
      'the time is over');
  reader.halt();
  await pipeline.stop(0);
  const { left } = reader;
  await reader.leave();
  telemetry.stopped(ledger);
  if (isDone) return { drained: true, left: null, counts: { ...ledger.counts } };
  return {
    drained: false,
    left: `Cannot drain the partitions: ${why}; ${left > 0 ? `${left} records are left` : 'what is left is not known'}`,
    counts: { ...ledger.counts },
  };
}

function whenAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
