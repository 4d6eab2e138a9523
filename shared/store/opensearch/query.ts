// A search of ours as OpenSearch takes it. Pure.
//
// - It gives the values that hits were sorted by as they lie in the index, and takes no format for them.
// - The root of a `flat_object` is not what values are found under; `<field>._value` is.

type Json = Readonly<Record<string, unknown>>;

/** Fields that are `flat_object` there, and that queries name. */
const FLAT_FIELDS = ['attributes'];
/** Queries of the form `{ <kind>: { <field>: … } }`. */
const BY_FIELD = new Set(['term', 'terms', 'prefix', 'wildcard', 'regexp', 'match', 'match_phrase', 'range']);

/** The body of a request to `_search`, `_count` or a scroll. */
export function openSearchBody(body: string): string {
  const search = JSON.parse(body) as Json;
  const sort = search['sort'];
  return JSON.stringify({
    ...search,
    ...('query' in search && { query: openSearchQuery(search['query']) }),
    ...(Array.isArray(sort) && { sort: sort.map(withoutFormat) }),
  });
}

function withoutFormat(by: unknown): unknown {
  if (!isObject(by)) return by;
  const fields = Object.entries(by).map(([field, how]) => {
    if (!isObject(how)) return [field, how];
    const { format: _, ...rest } = how;
    return [field, rest];
  });
  return Object.fromEntries(fields);
}

function openSearchQuery(query: unknown): unknown {
  if (Array.isArray(query)) return query.map(openSearchQuery);
  if (!isObject(query)) return query;
  const clauses = Object.entries(query).map(([kind, inner]) => [
    kind,
    BY_FIELD.has(kind) && isObject(inner) ? renamed(inner) : openSearchQuery(inner),
  ]);
  return Object.fromEntries(clauses);
}

function renamed(byField: Json): Json {
  const fields = Object.entries(byField).map(([field, how]) => [
    FLAT_FIELDS.includes(field) ? `${field}._value` : field,
    how,
  ]);
  return Object.fromEntries(fields);
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
