// An order in which no group of many comes before one of few: so that whoever has more of something has not more than
// others have of it. Pure.

/** The first of each group, then the second of each, and so on. */
export function roundRobin<Item>(items: readonly Item[], groupOf: (item: Item) => string): Item[] {
  const counts = new Map<string, number>();
  const rounds: Item[][] = [];
  for (const item of items) {
    const group = groupOf(item);
    const round = counts.get(group) ?? 0;
    counts.set(group, round + 1);
    (rounds[round] ??= []).push(item);
  }
  return rounds.flat();
}
