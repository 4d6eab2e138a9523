// How much of one entry becomes JSON, beside the limits of the mapping itself (json-value.ts). An entry beyond them is
// no document at all: one that was cut would say something else than its sender.

/** What is written of one entry, at most. */
export interface ValueLimits {
  readonly bytesMax: number;
  /** Elements of arrays and pairs of maps, at any depth. */
  readonly valuesMax: number;
  /** Pairs of maps, at any depth: each may become a term of the index. */
  readonly keysMax: number;
  /**
   * Of the keys that lead to each value, summed over all values: a `flattened` field has a term of the whole path for
   * each.
   */
  readonly pathBytesMax: number;
}

export const NO_LIMITS: ValueLimits = {
  bytesMax: Infinity,
  valuesMax: Infinity,
  keysMax: Infinity,
  pathBytesMax: Infinity,
};

/** Beside the bytes, which are configured. What Elasticsearch takes of a document ends long before. */
export const DOCUMENT_LIMITS: Omit<ValueLimits, 'bytesMax'> = {
  valuesMax: 256 * 1024,
  keysMax: 64 * 1024,
  pathBytesMax: 8 * 1024 * 1024,
};

/** Objects and arrays in each other, the outermost counted. */
export const LEVELS_MAX = 20;
/** Of a key, as written in JSON. */
export const KEY_BYTES_MAX = 400;
