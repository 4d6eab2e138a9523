// The names of fields in queries. A name means, in this order:
//
//   a field of ours, by its whole name         log.level, kubernetes.labels.app, attributes.status
//   a field of ours, by its short name         level, container, pod: the table below
//   a key of what senders sent                 took, cart.size: attributes.took, attributes.cart.size
//
// The indexer makes fields of the Elastic Common Schema of what senders sent under many names, where the value fits. So
// such a name means two fields, that of the schema and the attribute: `status` is http.response.status_code of an
// access log, and attributes.status of a line of JSON. The one that was written comes first, the other is its `also`.
//
// Ours are those that the template of Elasticsearch maps (a test compares), and the embedded store follows it. Pure.

import { ecsAliases, type EcsType, ecsFields } from '../ecs-fields.ts';
import { labelFields, originNames, originPaths, safeLabel, serviceNames, versionNames } from '../origin-fields.ts';
import type { Field, FieldKind } from '../where.ts';

export const ATTRIBUTES = 'attributes';
const KIND_OF_ECS: Readonly<Record<EcsType, FieldKind>> = {
  keyword: 'keyword',
  text: 'text',
  long: 'integer',
  ip: 'ip',
};
const ecsOf = (kind: FieldKind): string[] =>
  ecsFields.filter(([, type]) => KIND_OF_ECS[type] === kind).map(([path]) => path);

const OURS: Readonly<Record<FieldKind, readonly string[]>> = {
  text: ['message', ...ecsOf('text')],
  // prettier-ignore
  keyword: [
    'stream', 'log.level', 'log.flags', ...originPaths, 'host.name', 'service.name', 'service.version', 'tenant.id',
    'fluentd.tag', 'event.original', ...ecsOf('keyword'),
  ],
  ip: ecsOf('ip'),
  date_nanos: ['@timestamp', 'event.created'],
  date: ['event.ingested'],
  integer: ['event.sequence', 'event.severity', 'log.lines', ...ecsOf('integer')],
  double: [],
  flattened: [...labelFields, ATTRIBUTES],
};

/** Short names, and names by which senders know the same field (docs/search.md). */
export const SHORT_NAMES: Readonly<Record<string, string>> = {
  level: 'log.level',
  severity: 'log.level',
  container: 'container.name',
  container_name: 'container.name',
  container_id: 'container.id',
  image: 'container.image.name',
  pod: 'kubernetes.pod.name',
  namespace: 'kubernetes.namespace',
  node: 'kubernetes.node.name',
  host: 'host.name',
  hostname: 'host.name',
  service: 'service.name',
  service_name: 'service.name',
  tenant: 'tenant.id',
  tag: 'fluentd.tag',
  time: '@timestamp',
  timestamp: '@timestamp',
};

/** Names that only queries know for them: under these senders mean other things as well, so they stay attributes. */
const ALSO: Readonly<Record<string, string>> = {
  status: 'http.response.status_code',
  method: 'http.request.method',
  url: 'url.original',
};

/** A label is found by its safe name, and by its own: older documents have that, and those with two that are alike. */
const LABEL_FIELDS: ReadonlySet<string> = new Set(labelFields);

/** What most queries ask for is one field alone: that goes by an index. */
const INDEXED: ReadonlySet<string> = new Set(Object.values(SHORT_NAMES));

/** By a name of senders: the field that the indexer makes of it. */
const knownAs: ReadonlyMap<string, string> = new Map([
  ...originPaths.flatMap((path) => originNames(path).record.map((name) => [name, path] as const)),
  ...serviceNames.map((name) => [name, 'service.name'] as const),
  ...versionNames.map((name) => [name, 'service.version'] as const),
  ...ecsFields.map(([path]) => [path, path] as const),
  ...ecsFields.flatMap(([path]) => (ecsAliases[path] ?? []).map((name) => [name, path] as const)),
  ...Object.entries(ALSO),
]);

/** Kept and shown, but indexed by no store. */
export const UNSEARCHED: ReadonlySet<string> = new Set(['event.original']);

/** Whatever the source wrote: `ERROR` and `error` are one level. */
export const ANY_CASE: ReadonlySet<string> = new Set(['log.level']);

/** Every field of ours, by its whole name. */
export const fields: ReadonlyMap<string, Field> = new Map(
  Object.entries(OURS).flatMap(([kind, paths]) =>
    // The keys are those of OURS.
    paths.map((path) => [path, { path, kind: kind as FieldKind, root: path, key: '' }] as const),
  ),
);

export function fieldNamed(name: string): Field {
  const long = Object.hasOwn(SHORT_NAMES, name) ? (SHORT_NAMES[name] ?? '') : '';
  const field = ours(name) ?? ours(long) ?? keyOf(ATTRIBUTES, name);
  const also = otherOf(field, name);
  return also === undefined ? field : { ...field, also };
}

function otherOf(field: Field, name: string): Field | undefined {
  const { root, key } = field;
  if (LABEL_FIELDS.has(root)) return safeLabel(key) === key ? undefined : keyOf(root, safeLabel(key));
  const known = knownAs.get(name);
  if (known === name) return INDEXED.has(name) ? undefined : keyOf(ATTRIBUTES, name);
  return known === undefined || root !== ATTRIBUTES ? undefined : fields.get(known);
}

/** The shortest name that means the field, but for those of the table above. */
export function shortName({ path, root, key }: Field): string {
  return root === ATTRIBUTES && key !== '' && fieldNamed(key).path === path ? key : path;
}

function ours(name: string): Field | null {
  const field = fields.get(name);
  if (field !== undefined) return field;
  for (let dot = name.indexOf('.'); dot > 0; dot = name.indexOf('.', dot + 1)) {
    const root = name.slice(0, dot);
    if (fields.get(root)?.kind === 'flattened') return keyOf(root, name.slice(dot + 1));
  }
  return null;
}

function keyOf(root: string, key: string): Field {
  return { path: `${root}.${key}`, kind: 'flattened', root, key };
}
