// The indexer as a function: records and a deadline in; out, for each partition, the first offset that is
// not finished. For those who are invoked with records and have no group of their own.
//
// Guarantees: below a watermark everything is in the store or with the dead letters. What the deadline leaves
// unfinished is given up and must come again; what of it has reached the store by then is found there by its id.
// Nothing is kept from invocation to invocation but connections.

import type { FetchedRecord } from '#shared/queue/queue.ts';
import { buildCore, type CoreOptions, type IndexerCore } from '../pipeline/build-pipeline.ts';
import { Assignment } from '../commit/in-hand.ts';
import type { Ledger } from '../settle/ledger.ts';
import type { TopicSlots } from '../settle/topic-slots.ts';

export interface InvocationResult {
  /** Partition → first offset that is not finished. */
  readonly watermarks: ReadonlyMap<number, number>;
  /** Whether the watermarks stand behind the last record of each partition. */
  readonly finished: boolean;
  /** Why a partition waits for an operator; null where none does. */
  readonly held: string | null;
  /** Events of this call by what became of them. */
  readonly counts: Ledger['counts'];
}

export interface IndexLimits {
  /** From now on. */
  readonly timeLimitMs: number;
  /**
   * Whether the beginning of a split line whose rest is in no record of the call is passed on, marked, at once. Where a
   * call can only succeed or fail as a whole, the same records would come again for ever; else the line is left for a
   * later call.
   */
  readonly passOnTails: boolean;
}

export class InvocationIndexer implements AsyncDisposable {
  readonly #options: CoreOptions;
  readonly #core: IndexerCore;
  #calls = 0;

  constructor(options: CoreOptions) {
    this.#options = options;
    this.#core = buildCore(options, () => []);
  }

  /** Numbers that the partitions of records must have, where they are of more than one topic. */
  get slots(): TopicSlots {
    return this.#core.slots;
  }

  /** Why the store takes nothing; null while it does, as far as it is known. */
  get unhealthyReason(): string | null {
    return this.#core.writer.unhealthyReason;
  }

  /** Records of a partition are in order. One call at a time. */
  async index(records: readonly FetchedRecord[], { timeLimitMs, passOnTails }: IndexLimits): Promise<InvocationResult> {
    const { pipeline, ledger } = this.#core;
    const before = { ...ledger.counts };
    const first = new Map<number, number>();
    const end = new Map<number, number>();
    for (const { partition, offset } of records) {
      if (!first.has(partition)) first.set(partition, offset);
      end.set(partition, offset + 1);
    }
    const assignment = new Assignment(
      ++this.#calls,
      Array.from(first, ([partition, next]) => ({ partition, next })),
    );
    const over = Promise.withResolvers<void>();
    using _limit = this.#options.clock.timer(timeLimitMs, over.resolve);

    pipeline.push(assignment, records);
    // The tail of a split line comes with a later call, unless nothing precedes it: then it would come for ever.
    await Promise.race([pipeline.finish({ passOn: () => passOnTails }), over.promise]);
    const watermark = (partition: number): number => assignment.partitions.get(partition)?.next ?? 0;
    const isStuck = (partition: number): boolean => watermark(partition) === first.get(partition);
    if ([...first.keys()].some(isStuck)) await Promise.race([pipeline.finish({ passOn: isStuck }), over.promise]);

    const watermarks = new Map([...first.keys()].map((partition) => [partition, watermark(partition)]));
    assignment.isRevoked = true;
    pipeline.lost(assignment);
    const finished = [...end].every(([partition, next]) => watermark(partition) === next);
    return { watermarks, finished, held: assignment.heldReason, counts: difference(ledger.counts, before) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#core.pipeline.stop(0);
  }
}

function difference(now: Ledger['counts'], before: Ledger['counts']): Ledger['counts'] {
  const counts = { ...now };
  for (const name of Object.keys(counts) as (keyof typeof counts)[]) counts[name] -= before[name];
  return counts;
}
