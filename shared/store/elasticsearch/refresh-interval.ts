// How long a document may take until a search finds it: the longest refresh interval of the indices that are searched,
// from the answer to `GET /…/_settings/index.refresh_interval?flat_settings=true`. Pure.
//
// An index that says nothing is refreshed each second while it is searched. While nobody searches, it is not refreshed
// at all; the search that ends this waits for what was written before. So a second holds for both.

import { isObject } from './bulk-answer.ts';

export const REFRESH_INTERVAL_MS = 1000;

const UNIT_MS: Readonly<Record<string, number>> = {
  nanos: 1e-6,
  micros: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `answer`: parsed JSON. What cannot be read is left out: an index that is never refreshed (`-1`) has no interval. */
export function longestRefreshMs(answer: unknown): number {
  let longest = REFRESH_INTERVAL_MS;
  for (const index of Object.values(isObject(answer) ? answer : {})) {
    const settings = isObject(index) && isObject(index['settings']) ? index['settings'] : {};
    longest = Math.max(longest, durationMs(settings['index.refresh_interval']) ?? 0);
  }
  return longest;
}

function durationMs(text: unknown): number | null {
  const [, count, unit = ''] = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/i.exec(String(text)) ?? [];
  const unitMs = UNIT_MS[unit.toLowerCase()];
  return count === undefined || unitMs === undefined ? null : Math.ceil(Number(count) * unitMs);
}
