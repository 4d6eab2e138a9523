// Changes of many rows are saved some at a time, so that nobody waits long for the turn in which they are made ready,
// or for a copy of all. Pure.

/** That are saved together. */
const PAGE_ROWS = 2000;

type Lists = Readonly<Record<string, readonly unknown[]>>;

/** All lists at once where they are short; else parts of one after another, in the order in which they are named. */
export function* pagesOf<All extends Lists>(all: All): Generator<All, undefined> {
  const lists = Object.entries(all);
  const rows = lists.reduce((sum, [, list]) => sum + list.length, 0);
  if (rows === 0) return;
  if (rows <= PAGE_ROWS) return void (yield all);
  const none = Object.fromEntries(lists.map(([name]) => [name, []]));
  for (const [name, list] of lists)
    for (let at = 0; at < list.length; at += PAGE_ROWS)
      yield { ...none, [name]: list.slice(at, at + PAGE_ROWS) } as unknown as All;
}

/** What was in the set, which is empty now. */
export function taken<Item>(set: Set<Item>): Item[] {
  const all = [...set];
  set.clear();
  return all;
}
