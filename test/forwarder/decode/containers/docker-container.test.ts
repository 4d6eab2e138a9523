// What Docker's own file says of a container, and what it may say to do harm.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  containerIdOf,
  dockerContainerOf,
  fieldsOfContainer,
  labelsWithin,
  tagOfContainer,
} from '#forwarder/decode/containers/docker-container.ts';

const ID = '0123456789abcdef'.repeat(4);

test('paths of containers', () => {
  const check = (path: string, expected: string | null): void => assert.equal(containerIdOf(path), expected, path);
  check(`/var/lib/docker/containers/${ID}/${ID}-json.log`, ID);
  check(`/d/${ID}/${ID}-json.log.1`, ID);
  check(`/d/${ID}/${ID}-json.log.12.gz`, ID);
  check(`/d/${ID}/local-logs/container.log`, ID);
  check(`/d/${ID}/local-logs/container.log.3.gz`, ID);
  check(`/d/${ID}/${ID}-json.log.tmp`, null);
  check(`/d/${ID}/local-logs/container.log.tmp`, null);
  check(`/d/${ID}/container.log`, null);
  check(`/d/${ID}/container-cached.log`, null);
  check(`/d/${ID.slice(1)}/local-logs/container.log`, null);
  check(`/d/${ID}/${'f'.repeat(64)}-json.log`, null);
  check(`/d/${ID.slice(1)}/${ID.slice(1)}-json.log`, null);
  check('', null);
});

test('what is said of a container', () => {
  const check = (text: string, expected: unknown): void => assert.deepEqual(dockerContainerOf(text), expected, text);
  const nobody = { name: '', image: '', labels: {} };
  check('{"Name":"/web","Config":{"Image":"busybox:1","Labels":{"a":"b"}}}', {
    name: 'web',
    image: 'busybox:1',
    labels: { a: 'b' },
  });
  check('{"Name":"/a","Name":"/b"}', { ...nobody, name: 'b' });
  check('{}', nobody);
  check('{"Name":1,"Config":[],"Labels":{}}', nobody);
  check('{"Name":"/web","Config":{"Labels":["a"]}}', { ...nobody, name: 'web' });
  check('{"Config":{"Labels":{"a":1,"b":"c"}}}', { ...nobody, labels: { b: 'c' } });
  for (const name of ['/', '/a b', '/../../etc', '/a\\nb', `/${'a'.repeat(300)}`, '/ä', '/-a']) {
    check(JSON.stringify({ Name: name }), nobody);
  }
  for (const text of ['', '{', 'null', '[]', '"a"', '{"Name":"/web","Con']) check(text, null);
});

test('labels that fit', () => {
  const check = (labels: Record<string, string>, expected: number): void =>
    assert.equal(Object.keys(labelsWithin(labels)).length, expected);
  const many = (count: number, value: string): Record<string, string> =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`label-${n}`, value]));
  check({}, 0);
  check(many(64, ''), 64);
  check(many(1000, ''), 64);
  check({ a: 'x'.repeat(512), b: 'c' }, 1);
  assert.ok(JSON.stringify(labelsWithin(many(64, 'x'.repeat(400)))).length < 5000);
  assert.deepEqual(labelsWithin({ a: '\uD800' }), { a: '\uFFFD' });
});

test('tags and fields', () => {
  const path = `/d/${ID}/${ID}-json.log`;
  const web = { name: 'web', image: '', labels: {} };
  assert.equal(tagOfContainer(path, web), 'docker.web');
  assert.equal(tagOfContainer(path, { ...web, name: '' }), 'docker.0123456789ab');
  assert.equal(tagOfContainer('/d/a.log', web), 'file.d.a.log');
  assert.deepEqual(fieldsOfContainer(ID, web), { 'container.id': ID, 'container.name': 'web' });
});
