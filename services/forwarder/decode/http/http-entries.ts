// What every HTTP body decoder gives: a run of entries, or where and why the body is refused. One body is taken whole
// or not at all.

import { SluiceError } from '#shared/errors.ts';
import type { EventTime } from '#shared/record/event-time.ts';

export type HttpEntries =
  | { readonly kind: 'entries'; readonly bytes: Uint8Array; readonly count: number }
  /** `at`: offset in bytes in the (decompressed) body; `line`: counted from 1, where the body is lines. */
  | { readonly kind: 'malformed'; readonly at: number; readonly line?: number; readonly why: string }
  | { readonly kind: 'too_large' };

export interface EntriesOptions {
  /** Time of the entries that have none of their own. */
  readonly time: EventTime;
  /**
   * Whether a record's key `time`, if it is a number of seconds, becomes the entry's time (as fluentd's in_http has
   * it).
   */
  readonly takeTime: boolean;
  /** Most bytes of the run. */
  readonly bytesMax: number;
}

/** The entries, or else the body's refusal: throws body_malformed, body_too_large. */
export function takenEntries(result: HttpEntries, bytesMax: number): { bytes: Uint8Array; count: number } {
  if (result.kind === 'entries') return result;
  if (result.kind === 'too_large') throw tooManyEntries(bytesMax);
  const line = result.line === undefined ? '' : `line ${result.line}, `;
  throw new SluiceError('body_malformed', `Cannot read the body: ${result.why} (${line}byte ${result.at})`);
}

export function tooManyEntries(bytesMax: number): SluiceError {
  return new SluiceError(
    'body_too_large',
    `Cannot take the events of the body: they are more than ${bytesMax} bytes; send fewer at once`,
  );
}
