// Compares bytes by words. Pure.

const WORD_BYTES = 4;

/** Whether from `at` on there is the same as in `other` from `start` to `end`. Both views have all of it. */
export function isSame(view: DataView, at: number, other: DataView, start: number, end: number): boolean {
  const by = at - start;
  let i = start;
  for (; i + WORD_BYTES <= end; i += WORD_BYTES) if (view.getInt32(i + by) !== other.getInt32(i)) return false;
  for (; i < end; i += 1) if (view.getUint8(i + by) !== other.getUint8(i)) return false;
  return true;
}
