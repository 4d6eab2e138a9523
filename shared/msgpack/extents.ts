// Finds where msgpack values end, without decoding them: the edge's only look at a payload.
// (brief: to be written)

/** The value runs past the end of the bytes. */
export const INCOMPLETE = -1;
/** The bytes can never become a value: 0xc1, or nesting deeper than the limit. */
export const MALFORMED = -2;

/** Position after the value that begins at `start`, or INCOMPLETE, or MALFORMED. Never throws. */
export declare function valueEnd(bytes: Uint8Array, start: number, end: number, depthMax?: number): number;
