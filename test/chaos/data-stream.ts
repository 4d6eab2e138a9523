// What an operator does to the data stream while it is written to: rolls it over, and names an ingest pipeline that
// does not exist. Elasticsearch may be frozen or restarting just then, so each is tried until it is done.

import { setTimeout as delay } from 'node:timers/promises';
import { DATA_STREAM_DEFAULT } from '#indexer/parse/route.ts';

/** Longer than a busy Elasticsearch takes: one that is asked again and again rolls over again and again. */
const tryMs = 60_000;
const pauseMs = 300;

export class DataStream {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** The default pipeline of all that is there; null: none. */
  setPipeline(name: string | null, signal: AbortSignal): Promise<void> {
    return this.#untilDone('PUT', '_settings', { 'index.default_pipeline': name }, signal);
  }

  /** Once, and perhaps once more where the answer got lost. */
  rollOver(signal: AbortSignal): Promise<void> {
    return this.#untilDone('POST', '_rollover', {}, signal);
  }

  async #untilDone(method: string, what: string, body: object, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const answer = await fetch(`${this.#url}/${DATA_STREAM_DEFAULT}/${what}`, {
          method,
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
          signal: AbortSignal.timeout(tryMs),
        });
        await answer.text();
        if (answer.ok) return;
      } catch {
        // It is away.
      }
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
