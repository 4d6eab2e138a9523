// The indexer as a job: reads the partitions that it is given up to their ends as of its start. It passes on unfinished
// lines, commits, leaves the group, and ends. For jobs that a scheduler or an autoscaler starts from zero.
//
// Guarantee: `drained` is true only where everything up to those ends has its outcome and is committed.

import { whenAborted } from '#shared/abort.ts';
import type { Clock } from '#shared/clock.ts';
import type { Pipeline } from '../pipeline/pipeline.ts';
import { buildCore, type IndexerCore, type IndexerOptions, sourcesOf } from '../pipeline/build-pipeline.ts';
import { fetchBytesMax } from '../unpack/bytes-in-hand.ts';
import { TopicReaders } from '../consume/topic-readers.ts';

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
  /** Ends the job, which then says what is left. */
  readonly signal: AbortSignal;
  readonly maxSeconds?: number | undefined;
}

export async function drainIndexer(options: DrainOptions): Promise<DrainOutcome> {
  const { config, queue, store, clock, random, signal, maxSeconds = Infinity } = options;
  const core = buildCore(options, () => readers.ages(clock.epochMs()));
  const { pipeline, budget, telemetry, ledger, writer, commitDelay } = core;
  const changes = new Changes();
  const readers: TopicReaders = new TopicReaders({
    ...commitDelay,
    // A job that is given little time must get on nevertheless.
    commitDelayMs: Math.min(commitDelay.commitDelayMs, (maxSeconds * 1000) / 2),
    queue,
    pipeline,
    budget,
    telemetry: telemetry.reading,
    clock,
    random,
    slots: core.slots,
    ...sourcesOf(config),
    group: config['kafka.group'],
    fetchBytesMax: fetchBytesMax(config['indexer.inflight_max_bytes']),
    toEnds: true,
    changed: () => changes.note(),
  });
  const over = new AbortController();
  const giveUp = (): void => {
    over.abort();
    writer.stop();
    changes.note();
  };
  // The signal may have come while the queue and the store were opened.
  if (signal.aborted) giveUp();
  else signal.addEventListener('abort', giveUp, { once: true });
  const limit = maxSeconds === Infinity ? null : clock.timer(maxSeconds * 1000, giveUp);

  telemetry.started(store.kind, queue.kind);
  readers.start();
  const isDone = await untilDrained(pipeline, readers, { clock, over: over.signal, changes });
  limit?.[Symbol.dispose]();
  signal.removeEventListener('abort', giveUp);
  const why = signal.aborted ? 'it was stopped' : whyNotDrained(readers, core);
  const drained = isDone && readers.heldReason === null && !readers.isRefused;
  readers.halt();
  await pipeline.stop(0);
  const { left } = readers;
  await readers.leave();
  telemetry.stopped(ledger);
  const rest = left > 0 ? `${left} records are left` : 'what is left is not known';
  const counts = { ...ledger.counts };
  return { drained, left: drained ? null : `Cannot drain the partitions: ${why}; ${rest}`, counts };
}

/** Whether all that may be read was read, indexed and committed before `over`. */
async function untilDrained(
  pipeline: Pipeline,
  readers: TopicReaders,
  { clock, over, changes }: { readonly clock: Clock; readonly over: AbortSignal; readonly changes: Changes },
): Promise<boolean> {
  while (!over.aborted) {
    await changes.next();
    if (!readers.atEnds) continue;
    const before = readers.assignments;
    await Promise.race([pipeline.finish(), whenAborted(over)]);
    // A partition that came or went meanwhile is looked at again.
    const { assignments } = readers;
    const isSame = assignments.length === before.length && assignments.every((one, i) => one === before[i]);
    if (!over.aborted && isSame && readers.atEnds && (await readers.commit())) return true;
    await clock.sleep(RETRY_MS, over).catch(() => undefined);
    changes.note();
  }
  return false;
}

function whyNotDrained({ heldReason, unreadReason }: TopicReaders, { writer, opener }: IndexerCore): string {
  return (
    heldReason ??
    unreadReason ??
    writer.unhealthyReason ??
    writer.commitUnhealthyReason ??
    opener.unhealthyReason ??
    'the time is over'
  );
}

/** Whether something has changed since it was asked last. */
class Changes {
  #noted = Promise.withResolvers<void>();

  note(): void {
    this.#noted.resolve();
  }

  /** Resolves when there was a change, and forgets it. */
  async next(): Promise<void> {
    await this.#noted.promise;
    this.#noted = Promise.withResolvers();
  }
}
