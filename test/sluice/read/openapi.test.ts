// The description of the read API is true: each path answers, in the types and with the keys that it says.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorTable } from '#shared/errors.ts';
import { RunningApi } from './running-api.ts';

interface Schema {
  readonly $ref?: string;
  readonly anyOf?: readonly Schema[];
  readonly type?: string | readonly string[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}

interface Described {
  readonly paths: Readonly<Record<string, { readonly get?: Operation; readonly post?: Posted }>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

interface Operation {
  readonly parameters: readonly { readonly name: string; readonly description?: string; readonly schema?: Schema }[];
  readonly responses: Readonly<Record<string, { readonly content: Readonly<Record<string, { schema: Schema }>> }>>;
}

interface Posted extends Pick<Operation, 'responses'> {
  readonly requestBody: { readonly content: Readonly<Record<string, { schema: Schema }>> };
}

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  object: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  array: Array.isArray,
  string: (value) => typeof value === 'string',
  integer: Number.isInteger,
  boolean: (value) => typeof value === 'boolean',
  number: (value) => typeof value === 'number',
  null: (value) => value === null,
};

function fits(value: unknown, schema: Schema, all: Described): boolean {
  if (schema.$ref !== undefined) {
    const named = all.components.schemas[schema.$ref.replace('#/components/schemas/', '')];
    return named !== undefined && fits(value, named, all);
  }
  if (schema.anyOf !== undefined) return schema.anyOf.some((one) => fits(value, one, all));
  const types = [schema.type ?? 'object'].flat();
  if (!types.some((type) => TYPES[type]?.(value))) return false;
  if (Array.isArray(value)) return value.every((one) => schema.items === undefined || fits(one, schema.items, all));
  if (schema.properties === undefined) return true;
  const fields = value as Readonly<Record<string, unknown>>;
  const isKnown = Object.entries(fields).every(([key, inner]) => {
    const known = schema.properties?.[key];
    return known !== undefined && fits(inner, known, all);
  });
  return isKnown && (schema.required ?? []).every((key) => Object.hasOwn(fields, key));
}

/** A value of each parameter. */
const GIVEN: Readonly<Record<string, string>> = {
  q: 'level:error',
  from: '10m',
  to: '1m',
  name: 'web-*',
  tenant: 'acme',
  level: 'info',
  pod: 'p',
  namespace: 'n',
  limit: '5',
  order: 'oldest',
  every: '1m',
  by: 'level',
  sample: '5',
  last: '5',
};

test('every path answers as it is described, with each parameter alone and with all', async () => {
  await using api = await RunningApi.open();
  await api.write([
    { message: 'one', '@timestamp': new Date(Date.now() - 300_000).toISOString(), log: { level: 'error' } },
  ]);
  const { status, body } = await api.ask('openapi.json');
  assert.equal(status, 200);
  const all = JSON.parse(body) as Described;
  const paths = ['search', 'histogram', 'fields', 'tail', 'store', 'documents', 'counts', 'rows'];
  assert.deepEqual(
    Object.keys(all.paths),
    paths.map((name) => `/api/${name}`),
  );
  for (const [path, { get }] of Object.entries(all.paths)) {
    if (get === undefined) continue;
    const names = get.parameters.map(({ name }) => name).filter((name) => name !== 'after');
    for (const { name, description, schema } of get.parameters) assert(description && schema, `${path} ${name}`);
    const asked = [[], ...names.map((name) => [name]), names];
    for (const some of asked) {
      const query = new URLSearchParams(some.map((name) => [name, GIVEN[name] ?? '']));
      const response = await api.begin(`${path.replace('/api/', '')}?${query.toString()}`);
      assert.equal(response.statusCode, 200, `${path} ${query.toString()}`);
      const type = String(response.headers['content-type']).replace(/;.*/, '');
      const schema: Schema | undefined = get.responses['200']?.content[type]?.schema;
      assert(schema, `${path} answers ${type}`);
      if (type === 'text/event-stream') {
        response.on('error', () => undefined).destroy();
        continue;
      }
      const found: unknown = JSON.parse((await response.setEncoding('utf8').toArray()).join(''));
      assert(fits(found, schema, all), `${path} ${query.toString()}: ${JSON.stringify(found)}`);
    }
    const wrong = await api.ask(`${path.replace('/api/', '')}?nonsense=1`);
    const error = get.responses[wrong.status]?.content['application/json']?.schema;
    assert(error && fits(JSON.parse(wrong.body), error, all), wrong.body);
    assert((JSON.parse(wrong.body) as { error: { code: string } }).error.code in errorTable);
  }
  const rows = await api.json('search?q=*+|+count+by+level');
  assert(fits(rows, { $ref: '#/components/schemas/Rows' }, all));
  assert(!fits({ ...rows, more: 1 }, { $ref: '#/components/schemas/Rows' }, all), 'the check can fail');
});

/** All that a body may have, of every kind. */
const PLACE = ['1', 1, 1];
const FIELDS = ['attributes.a', 'http.request.id'];
const NODES = [
  { kind: 'all' },
  { kind: 'words', text: 'one', prefix: true },
  { kind: 'not', node: { kind: 'exists', field: 'attributes.a' } },
  { kind: 'text', field: 'message', text: 'one', prefix: false },
  { kind: 'equals', field: 'log.level', value: 'error', as_number: false },
  { kind: 'pattern', field: 'container.name', pieces: ['web-', ''] },
  { kind: 'addresses', field: 'client.ip', first: '10.0.0.0', last: '10.0.0.255' },
  {
    kind: 'numbers',
    field: 'attributes.a',
    from: { number: '1', inclusive: true },
    to: { number: '2', inclusive: false },
  },
  { kind: 'times', field: '@timestamp', since_ns: '0', until_ns: '1' },
];
const QUERY = {
  since: '2026-03-01',
  until: '2026-03-02',
  ingested_since_ms: 0,
  ingested_until_ms: 1,
  name: 'n',
  tenant: 't',
  container: 'c',
  text: 'x',
  where: { kind: 'or', nodes: NODES },
  by: 'arrival',
};
const STATS = {
  kind: 'stats',
  measures: [
    { name: 'count', field: null, column: 'count' },
    { name: 'sum', field: FIELDS, column: 'sum(a)' },
  ],
  by: { fields: [['log.level']], every_ms: 60_000 },
};
const STAGES = [STATS, { kind: 'sort', keys: [{ name: 'count', descending: true }] }, { kind: 'head', count: 5 }];
const BODIES: Readonly<Record<string, readonly object[]>> = {
  documents: [
    { query: {}, order: 'newest', limit: 10 },
    { query: QUERY, order: 'oldest', limit: 10, after: PLACE },
  ],
  counts: [
    { query: {}, order: 'newest', every_ms: null },
    { query: QUERY, order: 'newest', every_ms: 60_000 },
  ],
  rows: [
    { query: {}, order: 'newest', stages: STAGES, limit: 5 },
    { query: QUERY, order: 'newest', stages: [...STAGES, { kind: 'fields', names: ['count'] }] },
  ],
  tail: [{ query: {} }, { query: { where: QUERY.where } }],
};

test('every path that is posted to takes what is described, and nothing else', async () => {
  await using api = await RunningApi.open();
  await api.write([
    { message: 'one', attributes: { a: 1e308 } },
    { message: 'two', attributes: { a: 1e308 } },
  ]);
  const all = JSON.parse((await api.ask('openapi.json')).body) as Described;
  const posted = Object.entries(all.paths).flatMap(([path, { post }]) => (post ? [{ path, post }] : []));
  assert.deepEqual(
    posted.map(({ path }) => path),
    ['/api/tail', '/api/documents', '/api/counts', '/api/rows'],
  );
  for (const { path, post } of posted) {
    const name = path.replace('/api/', '');
    const described = post.requestBody.content['application/json']?.schema;
    assert(described);
    for (const given of BODIES[name] ?? []) {
      assert(fits(given, described, all), `${path} takes ${JSON.stringify(given)}`);
      const response = await api.post(name, given);
      assert.equal(response.statusCode, 200, `${path} ${JSON.stringify(given)}`);
      const type = String(response.headers['content-type']).replace(/;.*/, '');
      const schema = post.responses['200']?.content[type]?.schema;
      assert(schema, `${path} answers ${type}`);
      if (type === 'text/event-stream') {
        response.on('error', () => undefined).destroy();
        continue;
      }
      const text = (await response.setEncoding('utf8').toArray()).join('');
      if (type === 'application/json') assert(fits(JSON.parse(text), schema, all), `${path}: ${text}`);
      else {
        const lines = text.trimEnd().split('\n');
        assert.equal(lines.pop(), '{"is_last":true,"warnings":[]}');
        for (const line of lines) {
          const { documents } = JSON.parse(line) as { documents: unknown[] };
          for (const one of documents) assert(fits(one, { $ref: '#/components/schemas/StoredDocument' }, all), line);
        }
      }
    }
    const whole = BODIES[name]?.[0] ?? {};
    const wrong = [{}, [], { ...whole, more: 1 }, { ...whole, query: { nmae: 'x' } }, { ...whole, query: null }];
    const others = [{ order: 'up' }, { limit: 0 }, { limit: 1.5 }, { after: ['x'] }, { every_ms: 5 }, { stages: [{}] }];
    const used = others.filter((other) => Object.keys(other).every((key) => key in (BODIES[name]?.[1] ?? {})));
    for (const body of [...wrong, ...used.map((other) => ({ ...whole, ...other }))]) {
      const response = await api.post(name, body);
      const text = (await response.setEncoding('utf8').toArray()).join('');
      assert.equal(response.statusCode, 400, `${path} ${JSON.stringify(body)}: ${text}`);
      const error = post.responses['400']?.content['application/json']?.schema;
      assert(error && fits(JSON.parse(text), error, all), text);
    }
  }
});
