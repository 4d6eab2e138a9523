// What a document says of having been put together: from the parts of a split line, or the lines of a stack trace.

/** Of an entry that several were joined to. */
export interface JoinedMark {
  /** Whether some are missing. */
  readonly partial: boolean;
  /** Lines that it was printed as. */
  readonly lines: number;
  /** Nanoseconds from the first line's time to that of each; absent where all have the same. */
  readonly lineOffsets?: readonly number[] | undefined;
}

export const WHOLE_LINE: JoinedMark = { partial: false, lines: 1 };

/** A part that nothing can be joined to. */
export const LONE_PART: JoinedMark = { partial: true, lines: 1 };
