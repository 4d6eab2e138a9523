// The lines round what a query finds, as `grep -C` shows them: those that came before and after it from the same
// source. Groups that touch are one, and no line is shown twice.

import { fieldNamed } from '#shared/store/query/fields.ts';
import type { ReadableStore, StoredDocument } from '#shared/store/store.ts';
import type { FieldWhere, Where } from '#shared/store/where.ts';
import { valueAt } from '../output/document-text.ts';

/** Lines on either side at most: each is read for each document found. */
export const CONTEXT_MAX = 1000;

/** The first of these that a document has tells its source; a host is told beside all but a container's id. */
const SOURCES = [
  'container.id',
  'kubernetes.pod.uid',
  'container.name',
  'log.file.path',
  'service.name',
  'fluentd.tag',
];
const ALONE: ReadonlySet<string> = new Set(['container.id', 'kubernetes.pod.uid']);
/** Groups of so many sources are known not to be shown twice. */
const SOURCES_MAX = 10_000;

export interface ContextOptions {
  readonly store: ReadableStore;
  /** On either side. */
  readonly lines: number;
  readonly signal: AbortSignal;
}

export interface Group {
  /** In the order in which they came; none that was in a group before. */
  readonly documents: readonly StoredDocument[];
  /** Whether it goes on with the lines of the group before. */
  readonly goesOn: boolean;
}

export class ContextLines {
  readonly #options: ContextOptions;
  /** By source: the ids of what was in a group. */
  readonly #shown = new Map<string, Set<string>>();

  constructor(options: ContextOptions) {
    this.#options = options;
  }

  /** The groups of found documents, which come in the order in which they came. */
  async *groups(found: readonly StoredDocument[]): AsyncGenerator<Group> {
    const { store, lines, signal } = this.#options;
    for (const document of found) {
      const where = sourceOf(document);
      const shown = this.#shownOf(JSON.stringify(where));
      const query = { where, by: 'arrival', after: document.sort, limit: lines } as const;
      const before = await store.search({ ...query, order: 'newest' }, signal);
      const after = await store.search({ ...query, order: 'oldest' }, signal);
      const all = [...before.toReversed(), document, ...after];
      const documents = all.filter(({ id }) => !shown.has(id));
      const goesOn = documents.length < all.length;
      for (const { id } of documents) shown.add(id);
      if (documents.length > 0) yield { documents, goesOn };
    }
  }

  #shownOf(source: string): Set<string> {
    const shown = this.#shown.get(source) ?? new Set();
    if (this.#shown.size < SOURCES_MAX) this.#shown.set(source, shown);
    return shown;
  }
}

/** What all documents of its source have alike. */
function sourceOf({ source }: StoredDocument): Where {
  const host = equals('host.name', source);
  for (const path of SOURCES) {
    const own = equals(path, source);
    if (own === null) continue;
    const tenant = equals('tenant.id', source);
    const nodes = [own, ...(ALONE.has(path) || host === null ? [] : [host]), ...(tenant === null ? [] : [tenant])];
    return nodes.length === 1 ? own : { kind: 'and', nodes };
  }
  return host ?? { kind: 'all' };
}

function equals(path: string, source: StoredDocument['source']): FieldWhere | null {
  const value = valueAt(source, path);
  return typeof value === 'string' && value !== ''
    ? { kind: 'equals', field: fieldNamed(path), at: 0, value, number: null }
    : null;
}
