// How many events a few bytes may become. Asked by the decoders as they go, so that what is refused costs no memory,
// and by intake for all that comes otherwise. Pure.

import { SluiceError } from '#shared/errors.ts';

/** A batch may have so many events however small they are; beyond that, each must have some bytes. */
const EVENTS_FREE = 100_000;
const EVENT_BYTES_MIN = 16;

/** @param bytes that the sender wrote, uncompressed */
export function eventsMaxOf(bytes: number): number {
  return Math.max(EVENTS_FREE, Math.floor(bytes / EVENT_BYTES_MIN));
}

/** Why so many events are too many for their bytes; null where they are not. */
export function countExcessOf({ count, bytes }: { readonly count: number; readonly bytes: number }): string | null {
  if (count <= eventsMaxOf(bytes)) return null;
  const excess = `more than ${EVENTS_FREE}, and have less than ${EVENT_BYTES_MIN} bytes each`;
  return `${count} events or more in ${bytes} bytes are ${excess}`;
}

/** Throws too_many_events. */
export function refuseExcess(size: { readonly count: number; readonly bytes: number }): void {
  const excess = countExcessOf(size);
  if (excess !== null) throw new SluiceError('too_many_events', `Cannot take events: ${excess}; send fewer at once`);
}
