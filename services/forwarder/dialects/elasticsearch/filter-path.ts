// `filter_path` of Elasticsearch's answers: `errors,items.*.status` keeps only what these paths lead to
// (https://www.elastic.co/docs/reference/elasticsearch/rest-apis/common-options). `*` stands for any characters of a
// name, `**` for any names; arrays are passed through.
//
// The paths are one automaton, whose states are made as they are met: an answer has the same few names in each of its
// items, so each of them is compared with the patterns once, however many items and patterns there are. Pure.

import { matchesGlob } from '#shared/glob.ts';

/** More than any client sends. */
const PATHS_MAX = 32;
const NAMES_MAX = 8;
const ANY_NAMES = '**';

type Path = readonly string[];

/** A place in a path: its names before `at` have been met. */
interface Place {
  readonly path: Path;
  readonly at: number;
}

/** What the names so far lead to. */
class State {
  /** Whether all below is kept. */
  readonly keepsAll: boolean;
  readonly #places: readonly Place[];
  readonly #next = new Map<string, State | null>();

  constructor(places: readonly Place[]) {
    this.#places = places;
    this.keepsAll = places.some(
      ({ path, at }) => at === path.length || (at === path.length - 1 && path[at] === ANY_NAMES),
    );
  }

  /** Null where nothing below the name is kept. */
  next(name: string): State | null {
    const known = this.#next.get(name);
    if (known !== undefined) return known;
    const places: Place[] = [];
    for (const place of this.#places) {
      for (const next of placesAfter(place, name)) {
        // A path that comes to a place in two ways is in it once.
        const isThere = places.some(({ path, at }) => path === next.path && at === next.at);
        if (!isThere) places.push(next);
      }
    }
    const state = places.length > 0 ? new State(places) : null;
    this.#next.set(name, state);
    return state;
  }
}

export class FilterPath {
  readonly #start: State;

  constructor(paths: readonly Path[]) {
    this.#start = new State(paths.map((path) => ({ path, at: 0 })));
  }

  /** What is left of the value; an object of which nothing is left is `{}`. */
  filtered(value: object): object {
    return (kept(value, this.#start) as object | undefined) ?? {};
  }

  /** What is left of an element of the array `name`; null where nothing below the name is kept. */
  elementOf(name: string): ((element: object) => unknown) | null {
    const state = this.#start.keepsAll ? this.#start : this.#start.next(name);
    return state && ((element) => kept(element, state));
  }
}

/** Null for no paths; undefined where there are too many of them, or one is too long. */
export function parseFilterPath(text: string): FilterPath | null | undefined {
  const paths = text
    .split(',')
    .filter((path) => path !== '')
    .map((path) => path.split('.'));
  if (paths.length === 0) return null;
  const isTooLong = paths.length > PATHS_MAX || paths.some((path) => path.length > NAMES_MAX);
  return isTooLong ? undefined : new FilterPath(paths);
}

function kept(value: unknown, state: State): unknown {
  if (state.keepsAll) return value;
  if (typeof value !== 'object' || value === null) return undefined;
  if (Array.isArray(value)) {
    const elements = value.map((element: unknown) => kept(element, state)).filter((element) => element !== undefined);
    return elements.length > 0 ? elements : undefined;
  }
  const pairs: [string, unknown][] = [];
  for (const [name, child] of Object.entries(value)) {
    const next = state.next(name);
    const rest = next ? kept(child, next) : undefined;
    if (rest !== undefined) pairs.push([name, rest]);
  }
  return pairs.length > 0 ? Object.fromEntries(pairs) : undefined;
}

/** Where a path may be behind a name; nowhere if it does not fit. */
function placesAfter({ path, at }: Place, name: string): Place[] {
  const places: Place[] = [];
  let next = at;
  // `**` stands for no name too, so what is behind it may be met already.
  for (; path[next] === ANY_NAMES; next += 1) places.push({ path, at: next });
  const head = path[next];
  if (head !== undefined && matchesGlob(head, name)) places.push({ path, at: next + 1 });
  return places;
}
