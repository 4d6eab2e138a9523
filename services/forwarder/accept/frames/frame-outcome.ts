// What becomes of a frame of the Forward protocol: decided by frame-taker.ts, done by the session of its connection.

import type { Chunk, Undecodable } from '../../intake/chunk.ts';
import type { SlicedFrame } from './sliced-frame.ts';

export type FrameRefusal = 'frame_too_large' | 'frame_unkept' | 'frame_malformed' | 'signal_refused' | 'tag_refused';

/** `ack`: the chunk id as msgpack, to be answered when all is stored durably; null where none is wanted. */
export type FrameOutcome =
  /** A heartbeat, or a message that waits for others of its tag. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'chunk'; readonly chunk: Chunk; readonly ack: Buffer | null }
  | { readonly kind: 'dead_letter'; readonly undecodable: Undecodable; readonly ack: Buffer | null }
  /** There was nothing in the chunk, so it is stored already. */
  | { readonly kind: 'empty'; readonly ack: Buffer }
  | Refused
  /** Messages that came before the frame go first. */
  | { readonly kind: 'behind'; readonly run: Chunk; readonly outcome: FrameOutcome }
  | Sliced
  | Later;

export interface Refused {
  readonly kind: 'refused';
  readonly code: FrameRefusal;
  readonly detail: string;
  /**
   * What its connection does. It closes: what was not taken is not answered. It closes at a pace: its sender will come
   * back with it at once, so it hears of it only after a while.
   */
  readonly connection: 'closes' | 'closes_at_pace' | 'goes_on';
}

/** A chunk that goes on in slices. The next frame waits until it is stored or refused. */
export interface Sliced {
  readonly kind: 'sliced';
  readonly frame: SlicedFrame;
  readonly ack: Buffer | null;
  /** What it has in memory until then. */
  readonly heldBytes: number;
}

/** It is decided later, and the next frame waits for it. */
export interface Later {
  readonly kind: 'later';
  /** Never rejects. */
  readonly outcome: Promise<FrameOutcome>;
  /** What it has in memory until its outcome is done. */
  readonly heldBytes: number;
  /** To be called when its outcome is done. Rejects with what cannot be let go of. */
  readonly release: (() => Promise<void>) | null;
}

export const NOTHING: FrameOutcome = { kind: 'nothing' };

export function refused(code: FrameRefusal, detail: string, connection: Refused['connection'] = 'closes'): Refused {
  return { kind: 'refused', code, detail, connection };
}

/** A frame that cannot be kept in a file, or not be read from there. */
export function unkept(why: string): Refused {
  return refused('frame_unkept', why, 'closes_at_pace');
}

export function behind(run: Chunk | null, outcome: FrameOutcome): FrameOutcome {
  return run ? { kind: 'behind', run, outcome } : outcome;
}
