// Bugs for the simulator to find, each a change of the text of production modules when they are loaded, never of the simulation. Each text
// must be there exactly once, so that a bug whose place has moved is told of, and not silently left out.

import assert from 'node:assert/strict';
import { registerHooks } from 'node:module';

interface Edit {
  /** From the root of the repository. */
  readonly file: string;
  readonly text: string;
  readonly becomes: string;
}

export const plantedBugs: Readonly<Record<string, readonly Edit[]>> = {
  'ack before it is held': [
    {
      file: 'services/forwarder/gather/lane.ts',
      text: 'await this.#options.queue.append(this.#partition, records);\n      settle(shares, null);',
      becomes: 'settle(shares, null);\n      await this.#options.queue.append(this.#partition, records);',
    },
  ],
  'ack although it is not held': [
    {
      file: 'services/forwarder/accept/forward-session.ts',
      text: '.then(onHeld, () => this.#socket.destroy())',
      becomes: '.then(onHeld, onHeld)',
    },
  ],
  'commit past a hole': [
    {
      file: 'services/indexer/commit/offsets.ts',
      text: 'if (slot !== this.#slots[this.#head]) return;',
      becomes: 'this.#next = Math.max(this.#next, slot.offset + 1);\n    if (slot !== this.#slots[this.#head]) return;',
    },
  ],
  'commit one too far': [
    {
      file: 'services/indexer/commit/offsets.ts',
      text: 'this.#next = first.offset + 1;',
      becomes: 'this.#next = first.offset + 2;',
    },
  ],
  'commit after the partition was lost': [
    {
      file: 'shared/queue/kafka/kafka-consumer.ts',
      text: 'if (held === null || held.number !== assignment) throw lost(assignment);',
      becomes: 'if (held === null) throw lost(assignment);',
    },
  ],
  'a new id for a chunk that comes again': [
    {
      file: 'services/forwarder/intake.ts',
      text: 'if (!chunkId) return randomIdentity();',
      becomes: 'if (tag !== "") return randomIdentity();\n  if (!chunkId) return randomIdentity();',
    },
  ],
  'new ids for a bulk request that is sent again': [
    {
      file: 'services/indexer/bulk/writer.ts',
      text: 'return this.#stop.signal.aborted ? this.#abandon(parcel) : this.#withoutLost(parcel);',
      becomes: `
    const { body, items } = parcel.request;
    for (const item of items) body[item.actionStart + '{"create":{"_index":"","_id":"'.length + item.index.length] = 0x66;
    return this.#stop.signal.aborted ? this.#abandon(parcel) : this.#withoutLost(parcel);`,
    },
  ],
  "a part's commit before its line is joined": [
    {
      file: 'services/indexer/pipeline.ts',
      text: "if (passed === null) this.#options.ledger.settle(hold.record, 1, 'deduplicated');",
      becomes: "this.#options.ledger.settle(hold.record, 1, 'deduplicated');\n    if (passed === null) return;",
    },
    {
      file: 'services/indexer/bulk/answer.ts',
      text: "for (const part of run.parts) ledger.settle(part.record, 1, news > 0 ? 'indexed' : 'deduplicated');",
      becomes: '',
    },
    {
      file: 'services/indexer/pipeline.ts',
      text: 'options.ledger.place(() => options.lines.events);',
      becomes: '',
    },
  ],
  'a repeated part takes the name of its line': [
    {
      file: 'services/indexer/parse/joiner.ts',
      text: 'if (this.#names.has(documentId(origin.batch.id, origin.index))) return null;',
      becomes: '',
    },
  ],
  '409 taken for a failure': [
    {
      file: 'services/indexer/bulk/outcomes.ts',
      text: "if (status === 409) return 'deduplicated';",
      becomes: "if (status === 409) return 'refused';",
    },
  ],
  '429 of an item taken for success': [
    {
      file: 'services/indexer/bulk/outcomes.ts',
      text: "if (status === 408 || status === 429 || status >= 500) return 'retry';",
      becomes: "if (status === 408 || status === 429 || status >= 500) return 'indexed';",
    },
    {
      file: 'services/indexer/bulk/outcomes.ts',
      text: "if (errorType !== undefined && PASSING_TYPES.has(errorType)) return 'retry';",
      becomes: '',
    },
  ],
  'no answer in time taken for success': [
    {
      file: 'services/indexer/bulk/writer.ts',
      text: 'if (request.signal.aborted) {',
      becomes:
        'if (request.signal.aborted && !this.#stop.signal.aborted)\n' +
        '        return new BulkAnswer(parcel.request.items.map(() => ({ status: 201 })));\n' +
        '      if (request.signal.aborted) {',
    },
  ],
  'a body is used again while the store may still read it': [
    {
      file: 'services/indexer/bulk/writer.ts',
      text: 'const verdict = requestVerdict(answer);',
      becomes: 'const verdict = requestVerdict(answer);\n        if (attempt === 0) parcel.release?.();',
    },
  ],
  'settled before the dead letters hold it': [
    {
      file: 'services/indexer/bulk/writer.ts',
      text: 'await this.#options.refusals.bury(parcel, items, this.#stop.signal);',
      becomes: 'void this.#options.refusals.bury(parcel, items, this.#stop.signal).catch(() => undefined);',
    },
  ],
  'the sequence follows the wall clock': [
    {
      file: 'services/forwarder/intake.ts',
      text: 'const seq = Math.max(receivedMs * 1000, this.#nextSeq);',
      becomes: 'const seq = receivedMs * 1000;',
    },
  ],
  'two appends of a partition in flight': [
    {
      file: 'services/forwarder/gather/lane.ts',
      text: 'await this.#options.queue.append(this.#partition, records);\n      settle(shares, null);',
      becomes:
        'void this.#options.queue.append(this.#partition, records).then(\n' +
        '        () => settle(shares, null),\n        (error: unknown) => settle(shares, error),\n      );',
    },
  ],
};

const root = new URL('../../', import.meta.url).href;

/** To be called before the modules are loaded. Returns the files of which nothing was loaded so far. */
export function plant(name: string): () => string[] {
  const edits = plantedBugs[name];
  assert(edits, `there is a bug "${name}"`);
  const awaited = new Set(edits.map(({ file }) => file));
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context);
      const mine = edits.filter(({ file }) => url === root + file);
      if (mine.length === 0) return loaded;
      let source = Buffer.from(loaded.source as Uint8Array).toString();
      for (const { file, text, becomes } of mine) {
        assert.equal(source.split(text).length - 1, 1, `${file} has once: ${text}`);
        source = source.replace(text, () => becomes);
        awaited.delete(file);
      }
      return { ...loaded, source };
    },
  });
  return () => [...awaited];
}
