// What comes into the store, as server-sent events: `data:` with a document as JSON, and now and then a comment, so
// that whoever is in between sees that the connection lives. Where the store knows in which order documents came, each
// has the place as its `id`, and who comes back with it as Last-Event-ID goes on there, as browsers' EventSource does.
//
//   https://html.spec.whatwg.org/multipage/server-sent-events.html
//
// Documents are read from the store when the reader takes more: a slow one gets all of them, later, and costs no
// memory. See following.ts for what is promised.

import type { Clock } from '#shared/clock.ts';
import { isRetryable } from '#shared/errors.ts';
import type { ReadableStore, Store, StoredDocument } from '#shared/store/store.ts';
import { following, placeOf } from '../search/follow/following.ts';
import { lastPages } from '../search/lines/last-pages.ts';
import { documentJson, fieldsJson } from './wire/document-json.ts';
import type { MemoryShares } from './bounds/memory-shares.ts';
import type { TailRequest } from './request.ts';

/** What answers are made of. */
export interface ReadSource {
  readonly store: ReadableStore;
  readonly kind: Store['kind'];
  readonly clock: Clock;
  /** How long a document may take until it is found. */
  readonly foundAfterMs: (signal: AbortSignal) => Promise<number>;
  /** For what is counted or sorted. */
  readonly memory: MemoryShares;
  /** Whether a part of the store cannot be read. */
  readonly isDamaged: () => boolean;
}

/** Nobody else waits for the thread that reads the embedded store. */
const TOOK_MAX_MS = 300;
const SIGN_OF_LIFE_MS = 15_000;
/** Ids that a tail of Elasticsearch remembers, about 150 bytes each: of some 7,000 documents a second. */
const SEEN_MAX = 100_000;

/** Never ends by itself: rejects with the signal's reason. */
export async function* tailEvents(
  { store, clock, foundAfterMs }: ReadSource,
  { query, isStored, last, after }: TailRequest,
  signal: AbortSignal,
): AsyncGenerator<string, void, void> {
  const refreshIntervalMs = await foundAfterMs(signal);
  const follower = following(store, query, { clock, refreshIntervalMs, seenMax: SEEN_MAX, after });
  const events = (documents: readonly StoredDocument[], havePlaces: boolean): string =>
    documents
      .map((document) => eventOf(document, havePlaces, isStored ? documentJson(document) : fieldsJson(document)))
      .join('');
  const place = (): string => (follower.place === null ? '' : `id: ${follower.place}\n`);
  await follower.start(signal);
  // The answer begins, though nothing may come for long.
  yield `: following\n${place()}\n`;
  if (last > 0 && after === undefined) {
    for await (const { documents } of lastPages(store, { ...query, limit: last }, { signal, countsDocuments: true })) {
      for (const document of documents) follower.see(document);
      // They are not in the order of their places.
      yield events(documents, false);
    }
  }
  let toldMs = clock.monotonicMs();
  while (!signal.aborted) {
    // Without the time that the reader takes.
    let tookMs = 0;
    let sinceMs = clock.monotonicMs();
    try {
      for await (const documents of follower.poll(signal)) {
        tookMs += clock.monotonicMs() - sinceMs;
        yield events(documents, follower.place !== null);
        toldMs = sinceMs = clock.monotonicMs();
      }
    } catch (error) {
      if (signal.aborted || !isRetryable(error)) throw error;
    }
    const nowMs = clock.monotonicMs();
    tookMs += nowMs - sinceMs;
    if (nowMs - toldMs >= SIGN_OF_LIFE_MS) {
      yield `: nothing new\n${place()}\n`;
      toldMs = clock.monotonicMs();
    }
    await follower.rest(Math.min(tookMs, TOOK_MAX_MS), signal);
  }
}

/** `json`: on one line. */
const eventOf = (document: StoredDocument, hasPlace: boolean, json: string): string =>
  `${hasPlace ? `id: ${placeOf(document)}\n` : ''}data: ${json}\n\n`;
