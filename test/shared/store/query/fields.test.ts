// Names of fields: those of ours are those that the template maps, with its types.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldNamed, fields, SHORT_NAMES, shortName } from '#shared/store/query/fields.ts';
import { ATTRIBUTE_NUMBERS, templatesOf, WORDS_FIELD } from '#shared/store/elasticsearch/template.ts';

const KINDS: Readonly<Record<string, string>> = {
  long: 'integer',
  match_only_text: 'text',
  flat_object: 'flattened',
};

function mapped(properties: Record<string, unknown>, before = ''): [string, string][] {
  return Object.entries(properties).flatMap(([name, mapping]) => {
    const { type, properties: inner } = mapping as { type?: string; properties?: Record<string, unknown> };
    const path = `${before}${name}`;
    return [
      ...(type === undefined ? [] : [[path, KINDS[type] ?? type] as [string, string]]),
      ...mapped(inner ?? {}, `${path}.`),
    ];
  });
}

test('the fields of queries are those of the mapping', () => {
  const [mappings] = templatesOf({ splitting: 'exact' });
  const { template } = JSON.parse(mappings?.body ?? '') as {
    template: { mappings: { properties: Record<string, unknown> } };
  };
  const expected = mapped(template.mappings.properties).filter(
    ([path]) => path !== ATTRIBUTE_NUMBERS && path !== WORDS_FIELD,
  );
  assert.deepEqual(
    Object.fromEntries([...fields.values()].map(({ path, kind }) => [path, kind])),
    Object.fromEntries(expected),
  );
});

test('every short name means a field of ours', () => {
  for (const [short, path] of Object.entries(SHORT_NAMES)) {
    assert(fields.has(path), path);
    assert.equal(fieldNamed(short).path, path);
  }
});

test('a name of the schema means the attribute too, and the name of an attribute what the indexer makes of it', () => {
  const check = (name: string, path: string, also: string | undefined) => {
    assert.equal(fieldNamed(name).path, path);
    assert.equal(fieldNamed(name).also?.path, also);
  };
  check('status', 'attributes.status', 'http.response.status_code');
  check('http.response.status_code', 'http.response.status_code', 'attributes.http.response.status_code');
  check('request_id', 'attributes.request_id', 'http.request.id');
  check('user.id', 'user.id', 'attributes.user.id');
  check('error', 'attributes.error', 'error.message');
  check('attributes.status', 'attributes.status', undefined);
  check('took', 'attributes.took', undefined);
  check('level', 'log.level', undefined);
  check('words', 'attributes.words', undefined);
  check('com.docker.compose.service', 'attributes.com.docker.compose.service', 'service.name');
  check('k8s.pod.name', 'attributes.k8s.pod.name', 'kubernetes.pod.name');
  check('service.version', 'service.version', 'attributes.service.version');
  check('container_id', 'container.id', undefined);
  check('kubernetes.pod.name', 'kubernetes.pod.name', undefined);
  check('service', 'service.name', undefined);
  check('kubernetes.labels.app', 'kubernetes.labels.app', undefined);
  check('container.labels.a.b/c', 'container.labels.a.b/c', 'container.labels.a_b_c');
});

test('names', () => {
  const check = (name: string, path: string, short = name) => {
    assert.equal(fieldNamed(name).path, path);
    assert.equal(shortName(fieldNamed(name)), short);
  };
  check('message', 'message');
  check('level', 'log.level', 'log.level');
  check('attributes.level', 'attributes.level', 'attributes.level');
  check('attributes.log.level', 'attributes.log.level', 'attributes.log.level');
  check('status', 'attributes.status');
  check('attributes.status', 'attributes.status', 'status');
  check('http.method', 'attributes.http.method');
  check('log', 'attributes.log');
  check('attributes', 'attributes');
  check('kubernetes.labels.a.b/c', 'kubernetes.labels.a.b/c');
  check('kubernetes.annotations', 'kubernetes.annotations');
  check('kubernetes', 'attributes.kubernetes');
  check('constructor', 'attributes.constructor');
  check('__proto__', 'attributes.__proto__');
  check('attribute_numbers', 'attributes.attribute_numbers');
});
