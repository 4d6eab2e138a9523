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
  readonly paths: Readonly<Record<string, { readonly get: Operation }>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

interface Operation {
  readonly parameters: readonly { readonly name: string; readonly description?: string; readonly schema?: Schema }[];
  readonly responses: Readonly<Record<string, { readonly content: Readonly<Record<string, { schema: Schema }>> }>>;
}

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  object: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  array: Array.isArray,
  string: (value) => typeof value === 'string',
  integer: Number.isInteger,
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
  assert.deepEqual(Object.keys(all.paths), ['/api/search', '/api/histogram', '/api/fields', '/api/tail']);
  for (const [path, { get }] of Object.entries(all.paths)) {
    const names = get.parameters.map(({ name }) => name).filter((name) => name !== 'after');
    for (const { name, description, schema } of get.parameters) assert(description && schema, `${path} ${name}`);
    const asked = [[], ...names.map((name) => [name]), names];
    for (const some of asked) {
      const query = new URLSearchParams(some.map((name) => [name, GIVEN[name] ?? '']));
      const response = await api.begin(`${path.replace('/api/', '')}?${query.toString()}`);
      assert.equal(response.statusCode, 200, `${path} ${query.toString()}`);
      const type = String(response.headers['content-type']).replace(/;.*/, '');
      const schema = get.responses['200']?.content[type]?.schema;
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
