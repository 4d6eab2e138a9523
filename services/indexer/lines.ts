// INTERIM until parse/joiner.ts is there.
import type { Assignment } from './in-hand.ts';
import type { EventPlace } from './bulk/parcel.ts';
export type JoinedPart = EventPlace;
export interface PassedLine { readonly parts: readonly JoinedPart[]; readonly bytes: Uint8Array; readonly partial: boolean }
export class Lines {
  constructor(_limits: { timeoutMs: number; lineBytesMax: number; bytesMax: number }) {}
  events = 0;
  dueMs: number | null = null;
  add(_part: JoinedPart, _entry: Uint8Array, _nowMs: number): PassedLine[] { return []; }
  expire(_nowMs: number): PassedLine[] { return []; }
  flush(): PassedLine[] { return []; }
  drop(_assignment?: Assignment): JoinedPart[] { return []; }
}
