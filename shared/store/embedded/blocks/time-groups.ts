// What lies near each other in time, as groups: a search opens every block whose times are within its bounds, so a
// block with one document of 2099, or of 1970, would be opened by all of them. Pure; n log n, and linear where all are
// near.

export interface Times {
  readonly min: bigint;
  readonly max: bigint;
}

/** Groups are so far apart, in nanoseconds. */
const GAP = 3_600_000_000_000n;

/** In the order of time; within a group as they were. At most so many groups: of more gaps, the widest count. */
export function timeGroups<T>(
  items: readonly T[],
  timesOf: (item: T) => Times,
  groupsMax = Infinity,
): (readonly T[])[] {
  if (isNarrow(items, timesOf)) return [items];
  const places = items
    .map((item, index) => ({ ...timesOf(item), index }))
    .toSorted((a, b) => (a.min < b.min ? -1 : a.min > b.min ? 1 : a.index - b.index));
  const gaps: { readonly before: number; readonly width: bigint }[] = [];
  let end = places[0]?.max ?? 0n;
  for (const [place, { min, max }] of places.entries()) {
    if (min - end > GAP) gaps.push({ before: place, width: min - end });
    if (max > end) end = max;
  }
  const widest = gaps.toSorted((a, b) => (a.width > b.width ? -1 : 1)).slice(0, groupsMax - 1);
  const groups: T[][] = [];
  let start = 0;
  for (const cut of [...widest.map(({ before }) => before), places.length].toSorted((a, b) => a - b)) {
    const indices = places.slice(start, cut).map(({ index }) => index);
    groups.push(indices.toSorted((a, b) => a - b).flatMap((index) => items.slice(index, index + 1)));
    start = cut;
  }
  return groups;
}

function isNarrow<T>(items: readonly T[], timesOf: (item: T) => Times): boolean {
  const [first] = items;
  if (first === undefined) return true;
  let { min, max } = timesOf(first);
  for (const item of items) {
    const times = timesOf(item);
    if (times.min < min) min = times.min;
    if (times.max > max) max = times.max;
  }
  return max - min <= GAP;
}
