// The main thread's side of what `sluice store` asks the files: step after step, each a short one, so that progress can
// be told and a service that uses the store waits for none.

import type { StoreQuery } from '../../store.ts';
import type { CountStart, OrderedRows } from '../search/row-page.ts';
import { type Compacted, type CompactStep, FIRST_STEP } from '../space/compaction.ts';
import type { SizedBlocks } from './block-sizes.ts';
import type { Inspection, OriginRow, StoreSummary } from './inspection.ts';
import type { Verified, VerifyStep } from './verification.ts';

/** What the thread of the store is asked for it. */
export interface InspectionThread {
  compact(step: CompactStep): Compacted;
  inOrder(start: CountStart): OrderedRows;
  summary(argument: null): StoreSummary;
  origins(argument: null): OriginRow[];
  sizes(step: Parameters<Inspection['sizes']>[0]): SizedBlocks;
  verify(step: VerifyStep): Verified;
  counts(argument: null): ReturnType<Inspection['counts']>;
  overBytes(argument: null): number;
}

export type InspectionAsk = <K extends keyof InspectionThread>(
  method: K,
  argument: Parameters<InspectionThread[K]>[0],
) => Promise<ReturnType<InspectionThread[K]>>;

/** As it is kept: the document's own text. */
export interface ExportedDocument {
  readonly id: string;
  readonly stream: string;
  readonly source: string;
}

export class StoreFiles {
  readonly #ask: InspectionAsk;

  constructor(ask: InspectionAsk) {
    this.#ask = ask;
  }

  summary(): Promise<StoreSummary> {
    return this.#ask('summary', null);
  }

  origins(): Promise<readonly OriginRow[]> {
    return this.#ask('origins', null);
  }

  /** What blocks take, some at a time; those that are made meanwhile are left out. */
  async *sizes(lastBlock: number): AsyncGenerator<SizedBlocks, void, void> {
    for (let block: number | null = 0; block !== null;) {
      const sized: SizedBlocks = await this.#ask('sizes', { block, lastBlock });
      yield sized;
      block = sized.next;
    }
  }

  /** Documents that come meanwhile are left out. */
  async *verify(rowMax: number): AsyncGenerator<Verified, void, void> {
    for (let after: number | null = 0; after !== null;) {
      const verified: Verified = await this.#ask('verify', { after, rowMax });
      yield verified;
      after = verified.next;
    }
  }

  counts(): Promise<{ readonly damage: readonly string[]; readonly remarks: readonly string[] }> {
    return this.#ask('counts', null);
  }

  /** By how much the store is larger than its bound; below zero: smaller. */
  overBytes(): Promise<number> {
    return this.#ask('overBytes', null);
  }

  async *compact(): AsyncGenerator<Compacted, void, void> {
    for (let step: Compacted['next'] = FIRST_STEP; step !== null;) {
      const compacted: Compacted = await this.#ask('compact', step);
      yield compacted;
      step = compacted.next;
    }
  }

  /** In the order in which they came; what comes meanwhile is left out. */
  async *documents(query: StoreQuery): AsyncGenerator<readonly ExportedDocument[], void, void> {
    for (let rows: CountStart['rows'] = null; ;) {
      const { rows: found, next }: OrderedRows = await this.#ask('inOrder', { query, rows });
      yield found.map(({ id, stream, source }) => ({ id, stream, source }));
      if (next === null) return;
      rows = next;
    }
  }
}
