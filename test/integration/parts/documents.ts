// What is in the store, as a test wants to see it: the documents of one tag, in order of time and sequence.
// From Elasticsearch they come by its own API, not by Sluice's; from the embedded store by `sluice logs --json`.

import { setTimeout as delay } from 'node:timers/promises';
import { sluice, type Place } from './sluice-process.ts';

/**
 * A document with its fields as stored: `{ "@timestamp": …, "message": …, "event": { "sequence": … } }` or with dotted
 * names.
 */
export type Document = Record<string, unknown>;

/** Finds the documents of a tag. */
export type Find = (tag: string) => Promise<Document[]>;

const pageSize = 10_000;
const waitMs = 120_000;

/** Of one tag, or of several at once. */
export function inElasticsearch(url: string): (tags: string | readonly string[]) => Promise<Document[]> {
  return async (tags) => {
    const found: Document[] = [];
    let after: unknown[] | undefined;
    await fetch(`${url}/logs-sluice-default/_refresh`, { method: 'POST' });
    for (;;) {
      const answer = await fetch(`${url}/logs-sluice-default/_search`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          size: pageSize,
          query: { terms: { 'fluentd.tag': [tags].flat() } },
          // As text: nanoseconds since the epoch are more than a number of JSON holds here.
          sort: [{ '@timestamp': { format: 'strict_date_optional_time_nanos' } }, 'event.sequence'],
          ...(after && { search_after: after }),
        }),
      });
      // The data stream is made by the first document.
      if (answer.status === 404) return [];
      if (!answer.ok) throw new Error(`Cannot search Elasticsearch: ${await answer.text()}`);
      const { hits } = (await answer.json()) as { hits: { hits: { _source: Document; sort: unknown[] }[] } };
      found.push(...hits.hits.map((hit) => hit._source));
      after = hits.hits.at(-1)?.sort;
      if (hits.hits.length < pageSize) return found;
    }
  };
}

export function inEmbeddedStore(place: Place): Find {
  return async (tag) => {
    const { code, stdout, stderr } = await sluice(['logs', tag, '--json', '-n', 'all'], place);
    // A tag of which nothing is stored yet is a mistake to `sluice logs`, and nothing to us.
    if (code === 1 && stderr.includes('of that name')) return [];
    if (code !== 0) throw new Error(`sluice logs ended with ${code}: ${stderr}`);
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Document);
  };
}

/**
 * Waits until a tag has `count` documents, and a moment longer, so that one that comes twice is seen too. Returns what
 * is there.
 */
export async function untilStored(find: Find, tag: string, count: number): Promise<Document[]> {
  const deadline = performance.now() + waitMs;
  let found = await find(tag);
  while (found.length < count && performance.now() < deadline) {
    await delay(200);
    found = await find(tag);
  }
  await delay(500);
  return find(tag);
}

/** The value of a field, whether it is stored as `{ "event": { "sequence": 1 } }` or as `{ "event.sequence": 1 }`. */
export function field(document: Document, name: string): unknown {
  if (name in document) return document[name];
  let value: unknown = document;
  for (const part of name.split('.')) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Document)[part];
  }
  return value;
}

/** A text field of each document; empty where it has none. */
export function texts(documents: readonly Document[], name: string): string[] {
  return documents.map((document) => {
    const value = field(document, name);
    return typeof value === 'string' ? value : '';
  });
}
