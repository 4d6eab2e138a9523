// Bugs for the simulator to find, each a change of the text of production modules when they are loaded, never of the
// simulation. Each text must be there exactly once, so that a bug whose place has moved is noticed, and not silently
// left out.

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
      file: 'services/forwarder/gather/partition-lane.ts',
      text:
        'const held = await this.#options.queue.append(this.#partition, records);\n' +
        '      this.#settle(segments, (segment) => settleHeld(segment, held));',
      becomes:
        'this.#settle(segments, (segment) => settleHeld(segment, undefined));\n' +
        '      await this.#options.queue.append(this.#partition, records);',
    },
  ],
  'ack although it is not held': [
    {
      file: 'services/forwarder/accept/forward/chunk-acks.ts',
      text: 'if (place) this.#acks.cut(place);',
      becomes: 'if (place && ack) this.#acks.give(place, this.#ack(ack));',
    },
  ],
  'commit past a hole': [
    {
      file: 'services/indexer/commit/contiguous-offsets.ts',
      text: 'if (pending !== this.#pending[this.#head]) return;',
      becomes:
        'this.#next = Math.max(this.#next, pending.offset + 1);\n' +
        '    if (pending !== this.#pending[this.#head]) return;',
    },
  ],
  'commit one too far': [
    {
      file: 'services/indexer/commit/contiguous-offsets.ts',
      text: 'this.#next = first.offset + 1;',
      becomes: 'this.#next = first.offset + 2;',
    },
  ],
  'commit after the partition was lost': [
    {
      file: 'shared/queue/kafka/consumer/group-commits.ts',
      text: 'if (current === null || current.number !== assignment) throw lost(assignment);',
      becomes: 'if (current === null) throw lost(assignment);',
    },
  ],
  'a new id for a chunk that comes again': [
    {
      file: 'services/forwarder/intake/new-batches.ts',
      text: 'if (!chunkId) return randomIdentity(receivedMs);',
      becomes: 'if (tag !== "") return randomIdentity(receivedMs);\n  if (!chunkId) return randomIdentity(receivedMs);',
    },
  ],
  'a clock in the names of what is repeated': [
    {
      file: 'services/forwarder/intake/new-batches.ts',
      text: 'const timeMs = entryTimeMs(entries, 0, entries.length);',
      becomes: 'const timeMs = receivedMs || entryTimeMs(entries, 0, entries.length);',
    },
  ],
  'new ids for a bulk request that is sent again': [
    {
      file: 'services/indexer/bulk/waiting.ts',
      text: 'return signal.aborted ? abandonment.abandon(batch) : abandonment.withoutLost(batch);',
      becomes: `
    const { body, items } = batch.request;
    for (const item of items) body[item.actionStart + '{"create":{"_index":"","_id":"'.length + item.index.length] = 0x66;
    return signal.aborted ? abandonment.abandon(batch) : abandonment.withoutLost(batch);`,
    },
  ],
  "a part's commit before its line is joined": [
    {
      file: 'services/indexer/pipeline/part-entries.ts',
      text: 'if (passed) return passed;',
      becomes: `for (const one of [context.ref, ...(context.otherRefs ?? [])]) ledger.settleEvent(one, 'deduplicated');
    return passed ?? [];`,
    },
    {
      file: 'services/indexer/bulk/answer.ts',
      text: "for (const part of range.parts) ledger.settleEvent(part, news > 0 ? 'indexed' : 'deduplicated');",
      becomes: '',
    },
    {
      file: 'services/indexer/pipeline/entry-writer.ts',
      text: 'ledger.trackInFlight(() => joins.events);',
      becomes: '',
    },
  ],
  'a repeated part takes the name of its line': [
    {
      file: 'services/indexer/join/joiner.ts',
      text: 'if (!otherRefs && this.#passed.isRepeat(batch, index, assignmentNumber)) return null;',
      becomes: '',
    },
    {
      file: 'services/indexer/join/line-names.ts',
      text: 'const hasOwn = tellsPlaces ? first.ordinal === 1 && hasNoGap(pieces)',
      becomes: 'const hasOwn = tellsPlaces ? hasNoGap(pieces)',
    },
  ],
  '409 taken for a failure': [
    {
      file: 'services/indexer/settle/outcomes.ts',
      text: "if (status === 409) return 'deduplicated';",
      becomes: "if (status === 409) return 'refused';",
    },
  ],
  '429 of an item taken for success': [
    {
      file: 'services/indexer/settle/outcomes.ts',
      text: 'if (byType !== undefined) return byType;',
      becomes: "if (byType === 'retry') return 'indexed';\n  if (byType !== undefined) return byType;",
    },
  ],
  'no answer in time taken for success': [
    {
      file: 'services/indexer/bulk/attempt.ts',
      text: 'const error = this.#failureOf(thrown, signal);',
      becomes:
        "if (signal.aborted && reasonOf(thrown) !== 'stopped') {\n" +
        '        limit.release(null);\n' +
        '        const answer = new BulkAnswer(batch.request.items.map(() => ({ status: 201 })));\n' +
        "        return { kind: 'answered', answer };\n" +
        '      }\n' +
        '      const error = this.#failureOf(thrown, signal);',
    },
  ],
  'a body is used again while the store may still read it': [
    {
      file: 'services/indexer/bulk/writer.ts',
      text: 'const verdict = requestVerdict(error);',
      becomes: 'const verdict = requestVerdict(error);\n    if (attempt === 0) batch.release?.();',
    },
  ],
  'blamed for what was mended before the probe': [
    {
      file: 'services/indexer/bulk/next-step.ts',
      text: "if (probe?.kind === 'accepted') return isSuspect ?",
      becomes: "if (probe?.kind === 'accepted') return verdict === 'refused' ?",
    },
  ],
  'settled before the dead letters hold it': [
    {
      file: 'services/indexer/bulk/rejects.ts',
      text: 'await refusals.deadLetter(batch, items, signal);',
      becomes: 'void refusals.deadLetter(batch, items, signal).catch(() => undefined);',
    },
  ],
  'the sequence follows the wall clock': [
    {
      file: 'services/forwarder/intake/new-batches.ts',
      text: 'const seq = Math.max(receivedMs * 1000, this.#nextSeq);',
      becomes: 'const seq = receivedMs * 1000;',
    },
  ],
  'the spool is left before it is empty': [
    {
      file: 'shared/queue/spooled/spooled-queue.ts',
      text: 'return !this.#feeder.isEmpty || this.#entering > 0 || this.#late > 0;',
      becomes: 'return this.#entering > 0;',
    },
  ],
  'spooled under a new id': [
    {
      file: 'shared/queue/spooled/spooled-queue.ts',
      text: 'records.map((record) => encodeSpooledRecord(record, partition))',
      // The first byte of the first batch's id lies behind three headers.
      becomes:
        'records.map((record) => {\n' +
        '          const batches = record.batches.slice();\n' +
        '          batches[4] = (batches[4] ?? 0) ^ 1;\n' +
        '          return encodeSpooledRecord({ ...record, batches }, partition);\n' +
        '        })',
    },
  ],
  'ack before the spool has synced': [
    {
      file: 'shared/queue/spooled/local-appends.ts',
      text: 'await this.#store(append);',
      becomes: 'void this.#store(append).catch(() => undefined);',
    },
  ],
  'the spool forgets what Kafka does not have': [
    {
      file: 'shared/queue/spooled/feed/spool-feeder.ts',
      text: 'await this.#appends.send(feed.partition, group);',
      becomes: 'void this.#appends.send(feed.partition, group).catch(() => undefined);',
    },
  ],
  'no look at which index a document went to': [
    {
      file: 'services/indexer/bulk/look-back.ts',
      text: 'if (dataStreams.size === 0) return outcomes;',
      becomes: 'if (dataStreams.size >= 0) return outcomes;',
    },
  ],
  'a second copy that a dead indexer left is not deleted': [
    {
      file: 'services/indexer/bulk/look-back.ts',
      text: '(endMs !== undefined || isWriteIndexAsked || locations.has(id))',
      becomes: '(endMs !== undefined || isWriteIndexAsked)',
    },
  ],
  'no second look under a new assignment': [
    {
      file: 'services/indexer/bulk/second-copies.ts',
      text: 'if (kept) await this.#look(kept, () => assignment.isRevoked);',
      becomes: '',
    },
  ],
  'committed before the second look': [
    {
      file: 'services/indexer/commit/in-hand.ts',
      text: 'if (this.#inherited.has(partition)) continue;',
      becomes: '',
    },
  ],
  'both copies are deleted': [
    {
      file: 'services/indexer/bulk/look-back.ts',
      text: 'const copies = [...there].filter((id) => locations.has(id));',
      becomes:
        'const copies = [...there].filter((id) => locations.has(id));\n' +
        '      if (copies.length > 0) await this.#remove(indices[0]?.name ?? name, copies, signal);',
    },
  ],
  'two appends of a partition in flight': [
    {
      file: 'services/forwarder/gather/partition-lane.ts',
      text:
        'const held = await this.#options.queue.append(this.#partition, records);\n' +
        '      this.#settle(segments, (segment) => settleHeld(segment, held));',
      becomes:
        'void this.#options.queue.append(this.#partition, records).then(\n' +
        '        (held) => this.#settle(segments, (segment) => settleHeld(segment, held)),\n' +
        '        (error: unknown) => this.#settle(segments, ({ settlement }) => settlement.failed(error)),\n      );',
    },
  ],
  'what retention removed unread is not told': [
    {
      file: 'shared/queue/kafka/positions/log-position.ts',
      text: "if (next < low) return { next: low, change: 'retention', losses: lossOf(log, 'retention', next, low) };",
      becomes: "if (next < low) return { next: low, change: 'retention', losses: [] };",
    },
  ],
  'an offset that no broker gave is believed': [
    {
      file: 'shared/queue/kafka/consumer/kafka-consumer.ts',
      text: 'if (refusal !== null) return this.#refuse(assignment, partition, refusal);',
      becomes: 'void refusal;',
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
