// A range of time over lines, as `docker logs --since` and `--until` have it: a stack trace is one document with the
// time of its first line, and of one that lies across an end of the range only some lines are in it.
//
//   stored   ├─ T1 T2 T3 ─┤        ├─ U1 U2 ─┤            two traces
//   range             │◄──────────────►│                  T3 and U1
//
// Beside the documents of the range, traces are asked for that began up to SPAN before it. The others are as they were.
//
// Guarantees: no further query where there is no beginning; no document twice; nothing is kept.

import { clampInstant, formatInstant, INSTANT_MAX, INSTANT_MIN, parseInstant } from '#shared/store/instant.ts';
import { fieldNamed } from '#shared/store/query/fields.ts';
import type { Arrived, Arriving, ReadableStore, StoredDocument, StoredPage, StoreQuery } from '#shared/store/store.ts';
import type { Where } from '#shared/store/where.ts';
import { arrivalText, printedLines, someLines, valueAt } from '../../output/document-text.ts';

/** The indexer cuts what goes on for ten seconds; the lines of a file may have been written further apart. */
const SPAN_NS = 60_000_000_000n;
/** Whoever follows asks for what was indexed since: traces from before the range come for so long. */
const FOLLOWED_NS = 600_000_000_000n;
const NS_PER_MS = 1_000_000n;

const JOINED: Where = { kind: 'exists', field: fieldNamed('log.lines'), at: 0 };

type PagesQuery = Parameters<ReadableStore['pages']>[0];

/** Of queries `by` the time of arrival. */
export function linesInRange(store: ReadableStore): ReadableStore {
  const arrived = store.arrived?.bind(store);
  const nextArrival = store.nextArrival?.bind(store);
  return {
    ...(nextArrival && { nextArrival }),
    ...(arrived && { arrived: (query, after, signal) => arrivedIn(arrived, query, { after, signal }) }),
    pages: (query, signal) => pagesOf(store, query, signal),
    async search(query, signal) {
      const found: StoredDocument[] = [];
      for await (const { documents } of pagesOf(store, query, signal)) found.push(...documents);
      return found;
    },
  };
}

async function* pagesOf(store: ReadableStore, query: PagesQuery, signal?: AbortSignal): AsyncGenerator<StoredPage> {
  const sinceNs = instantOf(query.since, INSTANT_MIN);
  const untilNs = instantOf(query.until, INSTANT_MAX);
  const begun = begunBefore(query, sinceNs);
  let left = query.limit;
  for (const one of query.order === 'oldest' ? [begun, query] : [query, begun]) {
    if (one === null || left <= 0) continue;
    for await (const page of store.pages({ ...one, limit: one === begun ? Infinity : left }, signal)) {
      const documents = page.documents.flatMap((document) => partOf(document, sinceNs, untilNs) ?? []).slice(0, left);
      left -= documents.length;
      if (documents.length > 0) yield { ...page, documents };
      if (left <= 0) break;
    }
  }
}

interface Behind {
  readonly after: number | null;
  readonly signal: AbortSignal | undefined;
}

/** All from SPAN before the range on, and of those what is in it. */
async function arrivedIn(
  arrived: NonNullable<ReadableStore['arrived']>,
  query: Arriving,
  { after, signal }: Behind,
): Promise<Arrived> {
  const sinceNs = instantOf(query.since, INSTANT_MIN);
  const untilNs = instantOf(query.until, INSTANT_MAX);
  const { since: _, ...endless } = query;
  const wider = sinceNs === INSTANT_MIN ? endless : { ...query, since: formatInstant(clampInstant(sinceNs - SPAN_NS)) };
  const found = await arrived(wider, after, signal);
  const isIn = (document: StoredDocument): boolean => (parseInstant(arrivalText(document)) ?? sinceNs) >= sinceNs;
  const documents = found.documents.flatMap((document) =>
    isJoined(document) || isIn(document) ? (partOf(document, sinceNs, untilNs) ?? []) : [],
  );
  return { ...found, documents };
}

const isJoined = ({ source }: StoredDocument): boolean => typeof valueAt(source, 'log.lines') === 'number';

/** For traces that began before the range, and may reach into it. */
function begunBefore(query: StoreQuery, sinceNs: bigint): StoreQuery | null {
  const { since, where, ingestedSinceMs } = query;
  if (since === undefined || sinceNs === INSTANT_MIN) return null;
  if (ingestedSinceMs !== undefined && BigInt(Math.floor(ingestedSinceMs)) * NS_PER_MS > sinceNs + FOLLOWED_NS)
    return null;
  const joined: Where = where === undefined ? JOINED : { kind: 'and', nodes: [where, JOINED] };
  return { ...query, where: joined, since: formatInstant(clampInstant(sinceNs - SPAN_NS)), until: since };
}

/** The document with those of its lines that are in the range; null where none is. */
function partOf(document: StoredDocument, sinceNs: bigint, untilNs: bigint): StoredDocument | null {
  if (!isJoined(document)) return document;
  const arrivalNs = parseInstant(arrivalText(document));
  if (arrivalNs === null) return document;
  const lines = printedLines(document);
  const timesNs = lines.map(({ offsetNs }) => arrivalNs + BigInt(Math.trunc(offsetNs)));
  const from = timesNs.findIndex((timeNs) => timeNs >= sinceNs);
  const after = timesNs.findIndex((timeNs) => timeNs >= untilNs);
  const to = after < 0 ? lines.length : after;
  if (from < 0 || from >= to) return null;
  return to - from === lines.length ? document : someLines(document, from, to);
}

function instantOf(text: string | undefined, otherwise: bigint): bigint {
  return text === undefined ? otherwise : (parseInstant(text) ?? otherwise);
}
