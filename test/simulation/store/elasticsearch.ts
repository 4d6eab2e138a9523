// Elasticsearch, as the bulk writer sees it: data streams of backing indices, `create` that is answered 409 where the
// write index has the id already, and only there: after a rollover the same id is taken again. It outlives all
// processes. What was written was written, whether or not the answer arrives.

import type { BackingIndex, BulkOutcome, BulkRequest } from '#shared/store/store.ts';
import type { Faults } from '../faults.ts';
import type { SimProcess } from '../machine/process.ts';
import type { Random } from '../machine/random.ts';
import type { SimTime } from '../machine/time.ts';
import type { Trace } from '../trace.ts';

const CONFLICT = { status: 409, errorType: 'version_conflict_engine_exception' } as const;
export const BLOCKED: BulkOutcome = Object.freeze({ status: 403, errorType: 'cluster_block_exception' });
const REFUSED: BulkOutcome = Object.freeze({
  status: 400,
  errorType: 'document_parsing_exception',
  errorReason: 'failed to parse',
});

export const NO_PIPELINE: BulkOutcome = Object.freeze({
  status: 400,
  errorType: 'illegal_argument_exception',
  errorReason: 'pipeline with id [missing] does not exist',
});

interface Action {
  readonly create: { readonly _index: string; readonly _id: string };
}

/** 2026-01-02 03:04:05 UTC. */
const ORIGIN_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

interface Backing extends BackingIndex {
  readonly ids: Set<string>;
}

/** Who sent a request, and until when an answer was waited for. */
export interface Sent {
  readonly by: Pick<SimProcess, 'name' | 'endedMs'>;
  readonly atMs: number;
  /** When its sender waited for an answer no longer. */
  givenUpMs: number;
}

/** A document, and the backing index that it was written to. */
export interface Written {
  readonly id: string;
  readonly json: string;
  readonly backing: string;
  readonly sent: Sent;
  readonly writtenMs: number;
}

interface StoreOptions {
  readonly time: SimTime;
  readonly random: Random;
  readonly faults: Faults;
  readonly trace: Trace;
  /** Called with every document that is written. */
  readonly written: (written: Written) => void;
  /** Called with every second copy that is deleted. */
  readonly removed: (id: string, backing: string) => void;
  readonly bulkTimeoutMs: number;
  /** Called with every request that is done only so much later. */
  readonly late: (sender: string, byMs: number) => void;
}

/** The state; each process has a client of its own. */
export class SimElasticsearch {
  isDown = false;
  isForbidden = false;
  /** As when the disk is full: nothing is written. */
  isBlocked = false;
  /** Somebody deleted the ingest pipeline: every document is refused, and none is to blame. */
  isWithoutPipeline = false;
  rollovers = 0;
  /** A body of more bytes is answered 413. */
  bodyBytesMax = Infinity;
  readonly options: StoreOptions;
  readonly #dataStreams = new Map<string, Backing[]>();

  constructor(options: StoreOptions) {
    this.options = options;
  }

  write({ body, items }: BulkRequest, sent: Sent, refuse: () => BulkOutcome | null): BulkOutcome[] {
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
    if (this.isWithoutPipeline) return items.map(() => NO_PIPELINE);
    return items.map((item) => {
      // The real one knows of no items, only of lines.
      const { create } = JSON.parse(bytes.toString('latin1', item.actionStart, item.docStart)) as Action;
      const json = bytes.toString('utf8', item.docStart, item.docEnd);
      const { ids, name: backing } = this.#writeIndex(create._index);
      if (ids.has(create._id)) return { ...CONFLICT, backing };
      if (this.isBlocked) return BLOCKED;
      if (json.includes('poison-always')) return REFUSED;
      if (json.includes('poison-once') && !json.includes('as_text')) return REFUSED;
      const refused = refuse();
      if (refused !== null) return refused;
      ids.add(create._id);
      this.options.written({
        id: create._id,
        json,
        backing,
        sent,
        writtenMs: this.options.time.nowMs,
      });
      return { status: 201, backing };
    });
  }

  /** Writes to a new index from here on, of each data stream. */
  rollOver(): void {
    this.rollovers++;
    for (const [name, indices] of this.#dataStreams) indices.push(this.#newIndex(name));
  }

  indices(dataStream: string): BackingIndex[] {
    return (this.#dataStreams.get(dataStream) ?? []).map(({ name, createdMs }) => ({ name, createdMs }));
  }

  idsIn(backing: string, ids: readonly string[]): Set<string> {
    const index = this.#backing(backing);
    return new Set(ids.filter((id) => index?.ids.has(id)));
  }

  remove(backing: string, ids: readonly string[]): void {
    for (const id of ids) if (this.#backing(backing)?.ids.delete(id)) this.options.removed(id, backing);
  }

  #backing(name: string): Backing | undefined {
    return [...this.#dataStreams.values()].flat().find((index) => index.name === name);
  }

  #newIndex(dataStream: string): Backing {
    const name = `.ds-${dataStream}-${this.rollovers}`;
    return { name, createdMs: Math.floor(ORIGIN_MS + this.options.time.nowMs), ids: new Set() };
  }

  #writeIndex(name: string): Backing {
    const indices = this.#dataStreams.get(name) ?? [];
    const last = indices.at(-1);
    if (last) return last;
    const first = this.#newIndex(name);
    this.#dataStreams.set(name, [first]);
    return first;
  }
}
