// Which sources are forgotten, with all that was read of them: names of files come and go (those of pods never come
// again), and what is known of them must not grow for ever.
//
// Guarantees: pure; linear, but for the order of those that are gone; a source of which a file is there is kept.

/** What matters of a source. */
interface KnownSource {
  readonly path: string;
  /** When it was first seen, and since when it has no file (0: it has one), ms since the epoch. */
  readonly firstMs: number;
  readonly goneMs: number;
  /** The oldest first; without an identity those whose file is gone. */
  readonly generations: readonly { readonly identity: string }[];
}

/** Nobody keeps a rotated file for longer, so that no copy comes of what is gone. */
export const GONE_MS_MAX = 30 * 86_400_000;
/** What all sources may take in memory, about: some 50,000. */
export const KNOWN_BYTES_MAX = 48 * 1024 * 1024;
/** At a time: the rest is for the next. */
const AT_ONCE = 5000;
/** Of one whose files are there, when there are too many. */
const GENERATIONS_KEPT = 4;

const SOURCE_BYTES = 256;
const GENERATION_BYTES = 512;

export interface ForgetOptions {
  readonly nowMs: number;
  /** Whether somebody reads what is left of it. */
  readonly isHeld: (path: string) => boolean;
  /** Whether walks find its files, and miss them; false for one that was only imported. */
  readonly isWalked: (path: string) => boolean;
  readonly bytesMax?: number;
}

interface Forgettable<S> {
  readonly sources: readonly S[];
  /** Of these, all generations that are gone but the last few. */
  readonly shortened: readonly S[];
}

export function bytesOf(pathLength: number, generations: number): number {
  return SOURCE_BYTES + pathLength + GENERATION_BYTES * generations;
}

/** The longest gone first; then those that were imported, the earliest first. */
export function forgettable<S extends KnownSource>(all: Iterable<S>, options: ForgetOptions): Forgettable<S> {
  const { nowMs, isHeld, isWalked, bytesMax = KNOWN_BYTES_MAX } = options;
  let bytes = 0;
  const gone: S[] = [];
  const rest: S[] = [];
  for (const source of all) {
    bytes += bytesOf(source.path.length, source.generations.length);
    if (source.goneMs > 0) gone.push(source);
    else rest.push(source);
  }
  const sources: S[] = [];
  const take = (from: readonly S[], isDue: (source: S) => boolean): void => {
    for (const source of from) {
      if (sources.length === AT_ONCE || (bytes <= bytesMax && !isDue(source))) return;
      if (isHeld(source.path)) continue;
      sources.push(source);
      bytes -= bytesOf(source.path.length, source.generations.length);
    }
  };
  const isOld = ({ goneMs }: S): boolean => nowMs - goneMs > GONE_MS_MAX;
  if (bytes > bytesMax || gone.some(isOld)) {
    take(
      gone.toSorted((a, b) => a.goneMs - b.goneMs),
      isOld,
    );
  }
  if (bytes <= bytesMax || sources.length === AT_ONCE) return { sources, shortened: [] };
  const imported = rest.filter(({ path }) => !isWalked(path)).toSorted((a, b) => a.firstMs - b.firstMs);
  take(imported, () => false);
  if (bytes <= bytesMax || sources.length === AT_ONCE) return { sources, shortened: [] };
  const shortened = rest.filter(({ generations, path }) => generations.length > GENERATIONS_KEPT && !isHeld(path));
  return { sources, shortened: shortened.slice(0, AT_ONCE) };
}

/** Of a source: the generations whose files are gone, but for the last few. */
export function surplusOf<G extends { readonly identity: string }>({
  generations,
}: {
  generations: readonly G[];
}): G[] {
  return generations.slice(0, -GENERATIONS_KEPT).filter(({ identity }) => identity === '');
}
