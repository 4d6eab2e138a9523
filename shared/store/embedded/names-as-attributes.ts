// A document whose names are among its attributes: its tenant has brought as many as it may (source-names.ts). Pure.

import { parseExactJson } from '../exact-json.ts';

type Fields = Record<string, unknown>;

/** The names that a document has of its origin. */
const NAME_PATHS = ['container.id', 'container.name', 'service.name', 'kubernetes.pod.name', 'fluentd.tag'];

/**
 * The document with these names under `attributes`, by their dotted names; a key of the sender's own stays, ours has a
 * `_` more.
 */
export function withNamesAsAttributes(json: string): string {
  const document = parseExactJson(json) as Fields;
  const given = document['attributes'];
  const attributes: Fields = isObject(given) ? { ...given } : {};
  for (const path of NAME_PATHS) {
    const value = take(document, path.split('.'));
    if (value === undefined) continue;
    let key = path;
    while (Object.hasOwn(attributes, key)) key += '_';
    attributes[key] = value;
  }
  document['attributes'] = attributes;
  return JSON.stringify(document);
}

/** The value at the path, which is there no more; an object that has nothing left goes with it. */
function take(object: Fields, [name = '', ...inner]: readonly string[]): unknown {
  if (!Object.hasOwn(object, name)) return undefined;
  const value = object[name];
  if (inner.length === 0) {
    delete object[name];
    return value;
  }
  if (!isObject(value)) return undefined;
  const taken = take(value, inner);
  if (taken !== undefined && Object.keys(value).length === 0) delete object[name];
  return taken;
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value);
}
