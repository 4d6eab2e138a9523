// How much a walk looks at, and what each rule and each tree has of it: whoever may write to a folder can fill it with
// names. Pure.

/** What a name takes in memory beside its letters, about. */
const NAME_BYTES = 256;

export interface WalkLimits {
  readonly files: number;
  readonly folders: number;
  /** Of their paths, and what is kept with each, about. */
  readonly bytes: number;
  /** That are gone through in folders, whether anybody asks for them or not. */
  readonly names: number;
}

/** Of a walk: 10,000 pods or containers have two folders each. */
export const LIMITS: WalkLimits = { files: 100_000, folders: 25_000, bytes: 48 * 1024 * 1024, names: 400_000 };

export const NOTHING: WalkLimits = { files: 0, folders: 0, bytes: 0, names: 0 };

export function bytesOfNames(names: readonly string[]): number {
  return names.reduce((bytes, name) => bytes + name.length, NAME_BYTES);
}

/**
 * What the first `n` of `count` and the one after them have together, of what is between `from` and `to`: half of it
 * goes round, the other half is for who comes first.
 */
export function shareOf(from: WalkLimits, to: WalkLimits, n: number, count: number): WalkLimits {
  const left = (count - 1 - n) / (2 * count);
  const share = (of: keyof WalkLimits): number => to[of] - Math.floor(Math.max(0, to[of] - from[of]) * left);
  return { files: share('files'), folders: share('folders'), bytes: share('bytes'), names: share('names') };
}
