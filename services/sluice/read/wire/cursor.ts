// Where an answer ended, as text that its asker gives back to go on from there: base64url of the document's place as
// JSON. Pure and total: whatever comes back is a place, or none. Whoever makes one up gets documents from another place
// of the same search, and no others.

import type { Store, StoreQuery } from '#shared/store/store.ts';

type Place = NonNullable<StoreQuery['after']>;

const LENGTH_MAX = 8192;
const PARTS_MAX = 100;
/** As each store has the times of places: nanoseconds, or what Elasticsearch sorts by. */
const TIMES: Readonly<Record<Store['kind'], RegExp>> = {
  embedded: /^-?\d{1,19}$/,
  elasticsearch: /^\d{4}-\d{2}-\d{2}T[\d:.]{1,30}Z$/,
};
/** Of documents. */
const ID = /^[\w-]{1,512}$/;

/** Null where it is too long to be sent as a parameter. */
export function cursorText(place: Place): string | null {
  const text = Buffer.from(JSON.stringify(place)).toString('base64url');
  return text.length > LENGTH_MAX || place.length > PARTS_MAX ? null : text;
}

/** Null where it is no place of such a store. */
export function cursorOf(text: string, kind: Store['kind']): Place | null {
  if (text.length > LENGTH_MAX) return null;
  let place: unknown;
  try {
    place = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    return null;
  }
  return Array.isArray(place) && place.length <= PARTS_MAX ? placeOfParts(place, kind) : null;
}

/** The place that these parts are; null where they are none of such a store. */
export function placeOfParts(parts: readonly unknown[], kind: Store['kind']): Place | null {
  return isPlace(parts, TIMES[kind]) ? parts : null;
}

/** SQLite has integers of 64 bits. */
function isMoment(time: string): boolean {
  return time.includes('T') || BigInt.asIntN(64, BigInt(time)) === BigInt(time);
}

/** Its time, its sequence, and what tells it from others of both. */
function isPlace(place: readonly unknown[], times: RegExp): place is Place {
  const [time, sequence, ...others] = place;
  return (
    typeof time === 'string' &&
    times.test(time) &&
    isMoment(time) &&
    Number.isSafeInteger(sequence) &&
    others.every((part) => (typeof part === 'string' ? ID.test(part) : Number.isSafeInteger(part)))
  );
}
