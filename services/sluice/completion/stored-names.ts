// Names that the store has lately seen, for somebody who is typing one: of the newest documents that fit, and no longer
// than she waits.

import { fieldNamed } from '#shared/store/query/fields.ts';
import { namedValues } from '#shared/store/query/document-values.ts';
import type { ReadableStore, StoreQuery } from '#shared/store/store.ts';
import { chosenWhere } from '../search/chosen.ts';
import type { NameKind } from './words.ts';

const DOCUMENTS = 1000;
const NAMES_MAX = 200;
const FIELDS: Readonly<Record<NameKind, readonly string[]>> = {
  any: ['container.name', 'service.name', 'kubernetes.pod.name', 'fluentd.tag'],
  pod: ['kubernetes.pod.name'],
  namespace: ['kubernetes.namespace'],
  tenant: ['tenant.id'],
};

/**
 * In alphabetical order; none with a character that a terminal would not show, and none that would be an option, or
 * something else than itself, on the reader's line: senders choose their names.
 */
export async function storedNames(
  store: ReadableStore,
  { kind, prefix, nowMs }: { readonly kind: NameKind; readonly prefix: string; readonly nowMs: number },
  signal: AbortSignal,
): Promise<readonly string[]> {
  const names = new Set<string>();
  const documents = await store.search(
    { ...queryOf(kind, `${prefix}*`, nowMs), order: 'newest', limit: DOCUMENTS },
    signal,
  );
  for (const { source } of documents)
    for (const field of FIELDS[kind])
      for (const name of namedValues(source, fieldNamed(field)))
        if (name.startsWith(prefix) && /^(?![-~=])[\p{L}\p{N}\p{P}\p{S} ]+$/u.test(name)) names.add(name);
  return [...names].toSorted().slice(0, NAMES_MAX);
}

function queryOf(kind: NameKind, pattern: string, nowMs: number): Pick<StoreQuery, 'name' | 'where'> {
  if (kind === 'any') return { name: pattern };
  if (kind === 'tenant') return {};
  const where = chosenWhere(undefined, { [kind]: pattern }, nowMs);
  return where === undefined ? {} : { where };
}
