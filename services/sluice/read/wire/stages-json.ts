// The stages behind a query's bars (shared/store/query/stages.ts) as JSON, and back. Pure: what comes back are stages
// as the parser could have made them, or an error query_wrong.

import { fieldAt } from '#shared/store/query/where-json.ts';
import { isMeasure, type Measure, type SortKey, type Stage } from '#shared/store/query/stages.ts';
import type { Field } from '#shared/store/where.ts';
import { integerIn, type Json, listIn, maybe, objectOf, oneIn, textIn, wrong } from './json-parts.ts';

/** `top` alone makes three stages of a bar. */
const STAGES_MAX = 30;
const ITEMS_MAX = 20;
const HEAD_MAX = 1e9;
const EVERY_MS_MAX = 1e6 * 86_400_000;
const KINDS = ['stats', 'sort', 'fields', 'head'] as const;

export const stagesJson = (stages: readonly Stage[]): Json[] => stages.map(stageJson);

function stageJson(stage: Stage): Json {
  if (stage.kind !== 'stats') return { ...stage };
  const { kind, measures, by } = stage;
  const measured = measures.map(({ name, field, column }) => ({ name, field: field && fieldJson(field), column }));
  return { kind, measures: measured, by: { fields: by.fields.map(fieldJson), every_ms: by.everyMs } };
}

/** By their paths: a name may mean two fields, and which one comes first matters. */
const fieldJson = ({ path, also }: Field): readonly string[] => (also === undefined ? [path] : [path, also.path]);

/** Throws query_wrong. */
export function stagesOf(given: Json, key: string): Stage[] {
  const stages = listIn(given, key, STAGES_MAX).map(stageOf);
  if (stages.some(({ kind }, i) => kind === 'stats' && i > 0)) throw wrong('stats come first, and once');
  return stages;
}

function stageOf(json: unknown): Stage {
  const given = objectOf(json, 'a stage', ['kind', 'measures', 'by', 'keys', 'names', 'count']);
  const kind = oneIn(given, 'kind', KINDS);
  switch (kind) {
    case 'head':
      return { kind, count: integerIn(given, 'count', [0, HEAD_MAX]) };
    case 'fields':
      return { kind, names: items(given, 'names').map(nameOf) };
    case 'sort':
      return { kind, keys: items(given, 'keys').map(sortKeyOf) };
    case 'stats': {
      const by = objectOf(given['by'], 'by', ['fields', 'every_ms']);
      const fields = listIn(by, 'fields', ITEMS_MAX).map(fieldOf);
      return { kind, measures: items(given, 'measures').map(measureOf), by: { everyMs: everyMsIn(by), fields } };
    }
  }
}

/** The length of the spans that are counted by; null: without spans. */
export function everyMsIn(given: Json): number | null {
  const every = maybe(given, 'every_ms', 'ms', () => integerIn(given, 'every_ms', [1000, EVERY_MS_MAX]));
  return every.ms ?? null;
}

function items(given: Json, key: string): readonly unknown[] {
  const list = listIn(given, key, ITEMS_MAX);
  if (list.length === 0) throw wrong(`${key} is empty`);
  return list;
}

function measureOf(json: unknown): Measure {
  const given = objectOf(json, 'a measure', ['name', 'field', 'column']);
  const [name, column] = [textIn(given, 'name'), textIn(given, 'column')];
  const field = given['field'] === null ? null : fieldOf(given['field']);
  if (!isMeasure(name) || (field === null && name !== 'count')) throw wrong('a measure is none');
  return { name, field, column };
}

function fieldOf(json: unknown): Field {
  const [path, also, ...more]: readonly unknown[] = Array.isArray(json) ? json : [];
  if (more.length > 0) throw wrong('a name means two fields at most');
  return also === undefined ? fieldAt(path) : { ...fieldAt(path), also: fieldAt(also) };
}

function sortKeyOf(json: unknown): SortKey {
  const given = objectOf(json, 'a key', ['name', 'descending']);
  return { name: textIn(given, 'name'), descending: given['descending'] === true };
}

const nameOf = (json: unknown): string => textIn({ names: json }, 'names');
