// Reindexing between a queue and a store in memory, for tests.

import { type ReindexPlan, type ReindexRange, planReindex } from '#indexer/shells/reindex-plan.ts';
import { Reindex, type ReindexOptions } from '#indexer/shells/reindex.ts';
import { MemoryRewindSource } from '#test/memory/rewind-source.ts';
import { World } from './world.ts';

const LEAD_MS = 60_000;
const LATE_MS = 3_600_000;

interface Done {
  readonly reindex: Reindex;
  readonly plan: ReindexPlan;
  readonly warned: string[];
}

export class Rewind {
  readonly world: World;
  readonly source: MemoryRewindSource;
  readonly startMs: number;

  constructor(partitions = 1) {
    this.world = new World({ partitions });
    this.source = new MemoryRewindSource(this.world.queue);
    this.startMs = this.world.clock.epochMs();
  }

  /** All that is in the queue is indexed as it is every day. */
  async indexed(): Promise<void> {
    const indexer = await this.world.start();
    await this.world.drained();
    await this.world.clock.until(indexer.stop());
  }

  /** Reindexes what came from minute `from` on, and before `to`. */
  async reindex(from: number, to: number, more: Partial<ReindexOptions & ReindexRange> = {}): Promise<Done> {
    const { plan, reindex, warned } = await this.prepared(from, to, more);
    await this.world.clock.until(reindex.run());
    return { plan, reindex, warned };
  }

  async prepared(from: number, to: number, more: Partial<ReindexOptions & ReindexRange> = {}): Promise<Done> {
    const { world, source, startMs } = this;
    const { into, restart = false, lateMs = LATE_MS } = more;
    const times = { fromMs: startMs + from * 60_000, toMs: startMs + to * 60_000 };
    const plan = await planReindex(source, { ...times, leadMs: LEAD_MS, lateMs, into, restart });
    const warned: string[] = [];
    const { signal } = new AbortController();
    const warn = (line: string): void => void warned.push(line);
    const reindex = new Reindex({ ...world.options, source, plan, signal, warn, ...more });
    return { plan, reindex, warned };
  }
}

export const counted = ({ reindex: { counts } }: Done): number[] => [
  counts.indexed,
  counts.deduplicated,
  counts.dropped,
  counts.dead_lettered,
];
