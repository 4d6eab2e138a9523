// What comes into the store, as server-sent events: `data:` with a document as JSON, and now and then a comment, so
// that whoever is in between sees that the connection lives.
//
//   https://html.spec.whatwg.org/multipage/server-sent-events.html
//
// Documents are read from the store when the reader takes more: a slow one gets all of them, later, and costs no
// memory. See follower.ts for what is promised of the order.

import type { Clock } from '#shared/clock.ts';
import { isRetryable } from '#shared/errors.ts';
import type { ReadableStore } from '#shared/store/store.ts';
import { Follower, type Followed } from '../search/follower.ts';
import { lastPages } from '../search/lines/last-pages.ts';
import type { TailRequest } from './request.ts';

/** What answers are made of. */
export interface ReadSource {
  readonly store: ReadableStore;
  readonly clock: Clock;
  /** How long a document may take until it is found. */
  readonly foundAfterMs: (signal: AbortSignal) => Promise<number>;
  /** Whether a part of the store cannot be read. */
  readonly isDamaged: () => boolean;
}

const POLL_MS = 250;
/** Between polls of a store that takes long to answer: as many times as long. */
const REST = 3;
/** Nobody else waits for the thread that reads the embedded store. */
const REST_MAX_MS = 1000;
const SIGN_OF_LIFE_MS = 15_000;
/** Ids that a tail remembers, about 150 bytes each: of some 7,000 documents a second. */
const SEEN_MAX = 100_000;

/** Never ends by itself: rejects with the signal's reason. */
export async function* tailEvents(
  { store, clock, foundAfterMs }: ReadSource,
  { range, last }: TailRequest,
  signal: AbortSignal,
): AsyncGenerator<string, void, void> {
  const query: Followed = { ...range, by: range.name === undefined ? 'arrival_time' : 'arrival' };
  const refreshIntervalMs = await foundAfterMs(signal);
  const follower = new Follower(store, query, clock, { refreshIntervalMs, seenMax: SEEN_MAX });
  const [newest] = await store.search({ ...query, order: 'newest', limit: 1 }, signal);
  await follower.start(newest, signal);
  // The answer begins, though nothing may come for long.
  yield ': following\n\n';
  if (last > 0) {
    for await (const { documents } of lastPages(store, { ...query, limit: last }, { signal, countsDocuments: true })) {
      for (const document of documents) follower.see(document);
      yield documents.map(({ source }) => eventOf(source)).join('');
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
        yield documents.map(({ source }) => eventOf(source)).join('');
        toldMs = sinceMs = clock.monotonicMs();
      }
    } catch (error) {
      if (signal.aborted || !isRetryable(error)) throw error;
    }
    const nowMs = clock.monotonicMs();
    tookMs += nowMs - sinceMs;
    if (nowMs - toldMs >= SIGN_OF_LIFE_MS) {
      yield ': nothing new\n\n';
      toldMs = clock.monotonicMs();
    }
    await clock.sleep(Math.min(Math.max(POLL_MS, REST * tookMs), REST_MAX_MS), signal);
  }
}

/** JSON has no line end in it. */
const eventOf = (source: unknown): string => `data: ${JSON.stringify(source)}\n\n`;
