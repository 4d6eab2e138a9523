// Bytes that the values of a document lie in: those of the record, and those of its line.

/** Bytes that values lie in. */
export interface ValueSource {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Positions of keys that are left out. */
  readonly taken: ReadonlySet<number>;
  /** Is added to positions of keys, so that no two sources have one in common. */
  readonly base: number;
}

export const NOTHING_TAKEN: ReadonlySet<number> = new Set();
