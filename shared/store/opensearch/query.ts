// A search of ours as OpenSearch takes it: it knows no `format` of what hits are sorted by. It gives those values as
// they lie in the index (a time as nanoseconds), and reads times in `search_after` as text all the same. Pure.

type Json = Readonly<Record<string, unknown>>;

/** The body of a request to `_search`. */
export function openSearchBody(body: string): string {
  const search = JSON.parse(body) as Json;
  const { sort } = search;
  return JSON.stringify({ ...search, ...(Array.isArray(sort) && { sort: sort.map(withoutFormat) }) });
}

/** `{ <field>: { order, format, … } }` */
function withoutFormat(by: unknown): unknown {
  if (!isObject(by)) return by;
  const fields = Object.entries(by).map(([field, how]) => {
    if (!isObject(how)) return [field, how];
    const { format: _, ...rest } = how;
    return [field, rest];
  });
  return Object.fromEntries(fields);
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
