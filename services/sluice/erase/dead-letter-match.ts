// Whether a dead letter is one of those to erase. Its event has no document, so names and words are looked for in the
// entry, by the rules of the store. Pure.

import { tagOrigin } from '#indexer/parse/tag-origin.ts';
import { matchesGlob } from '#shared/glob.ts';
import type { ReadDeadLetter } from '#shared/queue/dead-letter.ts';
import type { Batch } from '#shared/record/record.ts';
import type { EraseQuery } from '#shared/store/erase.ts';
import { labelMaps, originNames, type OriginNames } from '#shared/store/origin-fields.ts';
import { valuesOf } from '#shared/store/query/document-values.ts';
import { CONTAINER_ID_MIN } from '#shared/store/store.ts';
import { parseQueryText, type QueryTerm } from '#shared/store/query-text.ts';
import { wordsOf } from '#shared/store/words.ts';

/** `unknown`: it holds events of others too, or nothing that could be looked into. */
type DeadLetterMatch = 'yes' | 'no' | 'unknown';

const CONTAINER = originNames('container.name');
const POD_CONTAINER = originNames('kubernetes.container.name');
const CONTAINER_ID = originNames('container.id');

/** `recordOf`: the record of the letter's event as JSON would have it; null where it has none. */
export function matchDeadLetter(
  letter: ReadDeadLetter,
  { tenant, container, text, since, until }: EraseQuery,
  recordOf: () => unknown,
): DeadLetterMatch {
  const { batches, index } = letter;
  const sinceMs = since === undefined ? -Infinity : Date.parse(since);
  const untilMs = until === undefined ? Infinity : Date.parse(until);
  const taken = batches.length > 0 ? batches.map(({ receivedMs }) => receivedMs) : [letter.timeMs];
  const inTime = taken.filter((ms) => ms >= sinceMs && ms < untilMs).length;
  if (inTime === 0) return 'no';
  if (tenant !== undefined && !batches.some((one) => one.tenant === tenant))
    return batches.length > 0 ? 'no' : 'unknown';
  const isOfOthersToo = tenant !== undefined && batches.some((one) => one.tenant !== tenant);
  if (isOfOthersToo || inTime < taken.length) return 'unknown';
  if (container === undefined && text === undefined) return 'yes';
  const record = index === null ? null : recordOf();
  if (record === null) return 'unknown';
  const isMeant =
    (container === undefined || isOfContainer(record, batches, container)) &&
    (text === undefined || hasAllTerms(record, parseQueryText(text)));
  return isMeant ? 'yes' : 'no';
}

function isOfContainer(record: unknown, batches: readonly Batch[], wanted: string): boolean {
  const told = batches.map(({ tag }) => tagOrigin(tag));
  const names = [
    ...textsOf(record, CONTAINER),
    ...textsOf(record, POD_CONTAINER),
    ...told.map((origin) => origin['kubernetes.container.name'] ?? ''),
  ];
  if (names.some((name) => name !== '' && matchesGlob(wanted, name.replace(/^\//, '')))) return true;
  if (wanted.includes('*')) return false;
  const ids = [...textsOf(record, CONTAINER_ID), ...told.map((origin) => origin['container.id'] ?? '')];
  return ids.some((id) => id === wanted || (wanted.length >= CONTAINER_ID_MIN && id.startsWith(wanted)));
}

/** Under any name that the indexer takes the field from. */
function textsOf(record: unknown, { record: names, pod = [], labels = [] }: OriginNames): string[] {
  const keys = [
    ...names,
    ...pod.map((name) => `kubernetes.${name}`),
    ...labelMaps.flatMap((map) => labels.map((name) => `${map}.${name}`)),
  ];
  if (!isFields(record)) return [];
  return keys.flatMap((path) => valuesOf(record, { path, kind: 'text', root: path, key: '' }));
}

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function hasAllTerms(record: unknown, terms: readonly QueryTerm[]): boolean {
  const texts = [...leavesOf(record)].map(wordsOf);
  return terms.every((term) => texts.some((words) => hasTerm(words, term)));
}

function* leavesOf(value: unknown): Generator<string, void, void> {
  const open: unknown[] = [value];
  for (let one = open.pop(); open.length > 0 || one !== undefined; one = open.pop()) {
    if (typeof one === 'string') yield one;
    else if (typeof one === 'number' || typeof one === 'boolean') yield String(one);
    else if (typeof one === 'object' && one !== null) for (const inner of Object.values(one)) open.push(inner ?? '');
  }
}

/** Whether the words of the term stand in a row; its last one may be a beginning. */
function hasTerm(words: readonly string[], { words: wanted, prefix }: QueryTerm): boolean {
  const isAt = (at: number): boolean =>
    wanted.every((word, i) => {
      const found = words[at + i];
      return prefix && i === wanted.length - 1 ? found?.startsWith(word) === true : found === word;
    });
  return words.some((_, at) => isAt(at));
}
