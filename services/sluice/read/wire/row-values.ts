// A value of a row as JSON, and back: numbers that JSON has none of are objects. Pure.

import { wrong } from './json-parts.ts';

type Value = string | number | null;

export function valueJson(value: Value): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? { number: String(value) } : value;
}

/** Throws query_wrong. */
export function valueOf(json: unknown): Value {
  if (json === null || typeof json === 'string' || typeof json === 'number') return json;
  if (typeof json === 'object' && 'number' in json) return Number(json.number);
  throw wrong('a value is none');
}
