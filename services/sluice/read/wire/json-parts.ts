// The parts of a body that somebody sent, as they were meant: each reader gives its type, or an error that names the
// part. Pure.

import { SluiceError } from '#shared/errors.ts';

export type Json = Readonly<Record<string, unknown>>;

export const wrong = (what: string): SluiceError => new SluiceError('query_wrong', `Cannot read the request: ${what}`);

/** An object with none but these keys: a misspelt bound must not be one that is not there. */
export function objectOf(given: unknown, name: string, keys: readonly string[]): Json {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw wrong(`${name} is no object`);
  for (const key of Object.keys(given))
    if (!keys.includes(key)) throw wrong(`${name} has no ${JSON.stringify(key.slice(0, 80))}, but ${keys.join(', ')}`);
  return given as Json;
}

export function textIn(given: Json, key: string): string {
  const text = given[key];
  if (typeof text !== 'string') throw wrong(`${key} is no text`);
  return text.toWellFormed();
}

export function integerIn(given: Json, key: string, [min, max]: readonly [min: number, max: number]): number {
  const number = given[key];
  if (typeof number !== 'number' || !Number.isSafeInteger(number) || number < min || number > max)
    throw wrong(`${key} is no whole number from ${min} to ${max}`);
  return number;
}

export function numberIn(given: Json, key: string): number {
  const number = given[key];
  if (typeof number !== 'number' || !Number.isFinite(number)) throw wrong(`${key} is no number`);
  return number;
}

export function oneIn<T extends string>(given: Json, key: string, known: readonly T[]): T {
  const found = known.find((one) => one === given[key]);
  if (found === undefined) throw wrong(`${key} is none of ${known.join(', ')}`);
  return found;
}

export function listIn(given: Json, key: string, max: number): readonly unknown[] {
  const list = given[key];
  if (!Array.isArray(list) || list.length > max) throw wrong(`${key} is no list of at most ${max}`);
  return list;
}

/** What is there is read; null counts as what is not. */
export function maybe<T, K extends string>(given: Json, key: string, as: K, read: () => T): { readonly [P in K]?: T } {
  const there: Partial<Record<K, T>> = {};
  if (given[key] !== undefined && given[key] !== null) there[as] = read();
  return there;
}
