// Gives a test a data stream of its own on an Elasticsearch that others use too. The names in the action lines are
// changed where they lie, for one of the same length, so that every extent stays right, and a benchmark pays next to
// nothing.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { DATA_STREAM_DEFAULT } from '#indexer/parse/route.ts';
import type { Store } from '#shared/store/store.ts';

const ACTION_START = Buffer.byteLength('{"create":{"_index":"');

/** A name that fits the template's patterns, as long as the default one. */
export function ownStreamName(): string {
  const name = `logs-sluice.t${randomBytes(2).toString('hex')}-d`;
  assert.equal(name.length, DATA_STREAM_DEFAULT.length);
  return name;
}

/** The store, with all documents going to data stream `name`. */
export function withStream(store: Store, name: string): Store {
  const bytes = Buffer.from(name);
  return {
    kind: store.kind,
    setup: () => store.setup(),
    ping: (signal) => store.ping(signal),
    pages: (query, signal) => store.pages(query, signal),
    search: (query, signal) => store.search(query, signal),
    backingIndices: (_stream, signal) => store.backingIndices(name, signal),
    idsIn: (backing, ids, signal) => store.idsIn(backing, ids, signal),
    remove: (backing, ids, signal) => store.remove(backing, ids, signal),
    probe: (_stream, signal) => store.probe(name, signal),
    bulk(request, signal) {
      for (const { actionStart } of request.items) request.body.set(bytes, actionStart + ACTION_START);
      return store.bulk(request, signal);
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

export async function deleteStream(url: string, name: string): Promise<void> {
  await fetch(`${url}/_data_stream/${name}`, { method: 'DELETE' });
}

export async function countOf(url: string, name: string): Promise<number> {
  await fetch(`${url}/${name}/_refresh`, { method: 'POST' });
  const answer = await fetch(`${url}/${name}/_count`);
  const { count }: { count?: number } = JSON.parse(await answer.text());
  return count ?? -1;
}
