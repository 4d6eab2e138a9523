// What is there at the end: every document of Elasticsearch and every dead letter, each asked for who sent it and under
// which number. By Elasticsearch's own API, not by Sluice's.

import type { Books, EventName } from './books.ts';
import { doomedSenderFirst } from './faults/doomed-topic.ts';
import { clientTag } from './load.ts';

const pageSize = 10_000;
const index = 'logs-sluice-*';
const tellMax = 20;
/** Documents by which indexers find out whose fault a 400 is. Whoever is killed before it has deleted one leaves it. */
const probePrefix = 'sluice-probe-';
/** `tornName` of books.ts. */
const tornEnd = /torn=(\d+)-(\d+);/;

interface Source {
  readonly attributes?: { readonly n?: unknown; readonly s?: unknown };
  readonly fluentd?: { readonly tag?: string };
  readonly 'fluentd.tag'?: string;
}

interface Found {
  readonly pit_id: string;
  readonly hits: { readonly hits: readonly Hit[] };
}

interface Hit {
  readonly _id: string;
  readonly _source: Source;
  readonly sort: readonly unknown[];
}

export interface OtherDocuments {
  readonly probes: number;
  /** The first of those that nobody sent. */
  readonly strangers: readonly string[];
}

export interface AllBooks {
  readonly books: Books;
  readonly clientBooks: Books;
  /** Of the senders from `doomedSenderFirst` on. */
  readonly doomedBooks: Books;
}

/** Enters every document of the store, or those that `query` finds. Returns what is none of an event that was sent. */
export async function readDocuments(
  url: string,
  to: AllBooks,
  query: object = { match_all: {} },
): Promise<OtherDocuments> {
  let probes = 0;
  const strangers: string[] = [];
  await ask(url, 'POST', `/${index}/_refresh`);
  const { id: pit } = (await ask(url, 'POST', `/${index}/_pit?keep_alive=5m`)) as { id: string };
  let after: readonly unknown[] | undefined;
  for (;;) {
    const { hits } = (await ask(
      url,
      'POST',
      '/_search?filter_path=pit_id,hits.hits._id,hits.hits._source,hits.hits.sort',
      {
        size: pageSize,
        query,
        _source: ['attributes.s', 'attributes.n', 'fluentd.tag'],
        pit: { id: pit, keep_alive: '5m' },
        sort: ['_shard_doc'],
        track_total_hits: false,
        ...(after && { search_after: after }),
      },
    )) as Partial<Found>;
    const page = hits?.hits ?? [];
    for (const { _id: id, _source: source } of page) {
      if (id.startsWith(probePrefix)) probes++;
      else if (!enter(to, source) && strangers.length < tellMax) strangers.push(`${id} ${JSON.stringify(source)}`);
    }
    after = page.at(-1)?.sort;
    if (page.length < pageSize) break;
  }
  await ask(url, 'DELETE', '/_pit', { id: pit });
  return { probes, strangers };
}

/** Whether somebody sent it. */
function enter({ books, clientBooks, doomedBooks }: AllBooks, source: Source): boolean {
  const tag = source['fluentd.tag'] ?? source.fluentd?.tag ?? '';
  const event = Number(source.attributes?.n);
  if (tag.startsWith(clientTag)) return clientBooks.find(Number(tag.slice(clientTag.length)), event);
  const sender = Number(source.attributes?.s);
  return (sender >= doomedSenderFirst ? doomedBooks : books).find(sender, event);
}

/**
 * Enters every dead letter, of an event or of the torn end of a chunk, given the lines of `sluice cat --topic
 * dead-letters`. Returns those that are of no single event.
 */
export function readDeadLetters(
  lines: readonly string[],
  { books, clientBooks }: Pick<AllBooks, 'books' | 'clientBooks'>,
): string[] {
  const others: string[] = [];
  for (const line of lines) {
    const letter = JSON.parse(line) as { tag?: unknown; bytes?: unknown; record?: { n?: unknown; s?: unknown } };
    const tag = String(letter.tag);
    const event = Number(letter.record?.n);
    if (letter.record === undefined) {
      const [, sender, chunk] = tornEnd.exec(Buffer.from(String(letter.bytes), 'base64').toString('latin1')) ?? [];
      if (!books.findTornEnd({ sender: Number(sender), chunk: Number(chunk) })) others.push(line);
    } else if (tag.startsWith(clientTag)) clientBooks.findDeadLetter(Number(tag.slice(clientTag.length)), event);
    else books.findDeadLetter(Number(letter.record.s), event);
  }
  return others;
}

/** A line for each of the first events: who it is, and where it is found. */
export async function placesOf(url: string, events: Iterable<EventName>): Promise<string[]> {
  const lines: string[] = [];
  for (const { sender, chunk, event } of events) {
    const { hits } = (await ask(url, 'POST', `/${index}/_search`, {
      _source: ['event.sequence', 'event.ingested', '@timestamp'],
      query: {
        bool: { filter: [{ term: { 'attributes.s': String(sender) } }, { term: { 'attributes.n': String(event) } }] },
      },
    })) as { hits: { hits: { _id: string; _index: string; _source: unknown }[] } };
    const places = hits.hits.map(({ _id, _index, _source }) => `${_id} in ${_index} ${JSON.stringify(_source)}`);
    lines.push(`sender ${sender}, chunk ${chunk}, event ${event}: ${places.join('; ') || 'nowhere'}`);
    if (lines.length === tellMax) break;
  }
  return lines;
}

async function ask(url: string, method: string, path: string, body?: unknown): Promise<unknown> {
  const answer = await fetch(`${url}${path}`, {
    method,
    ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`Cannot ask Elasticsearch for ${path}: ${await answer.text()}`);
  return answer.json();
}
