// Labels, and whatever else tells an origin, are kept: under a field, or among the attributes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { labelMaps, originNames, originPaths, serviceLabels, serviceNames } from '#shared/store/origin-fields.ts';
import { batch, documentOf, entryOf, textOf } from './documents.ts';

const ID = 'c0ffee'.padEnd(64, '0');

type Fields = Readonly<Record<string, unknown>>;

test('names of labels are safe, unless one would give way to another', () => {
  const labels = (given: Fields, kept: Fields) => {
    for (const place of ['kubernetes', 'container'])
      assert.deepEqual(documentOf(entryOf({ log: 'x', [place]: { labels: given } }))[place], { labels: kept });
  };
  labels({ 'a.b/c': 'x', d: 'y' }, { a_b_c: 'x', d: 'y' });
  labels({ 'a.b': 'x', a_b: 'y' }, { 'a.b': 'x', a_b: 'y' });
  labels({ 'a.b': 'x', 'a/b': 'y', 'c.d': 'z' }, { 'a.b': 'x', 'a/b': 'y', 'c.d': 'z' });
  labels({ 'a.b': { 'c.d': 1 } }, { a_b: { 'c.d': 1 } });
  labels({}, {});
  const many = (count: number, dot: string) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`l${dot}${i}`, String(i)]));
  labels(many(64, '.'), many(64, '_'));
  labels(many(65, '.'), many(65, '.'));
});

const ascending = (a: number, b: number): number => a - b;

test('no label is lost, whatever the names', () => {
  const names = fc.string({ unit: fc.constantFrom('a', 'b', '.', '/', '_', 'é', '\0', '"'), maxLength: 5 });
  fc.assert(
    fc.property(fc.dictionary(names, fc.nat(), { maxKeys: 80, noNullPrototype: true }), (given) => {
      const document = documentOf(entryOf({ kubernetes: { labels: given } }));
      const { labels } = document.kubernetes as { labels: Fields };
      const safe = (name: string) => name.replaceAll(/[./]/g, '_').replaceAll('\0', '\uFFFD');
      assert.deepEqual(Object.values(labels).map(Number).toSorted(ascending), Object.values(given).toSorted(ascending));
      for (const [name, value] of Object.entries(given))
        assert(labels[safe(name)] === value || labels[name.replaceAll('\0', '\uFFFD')] === value, name);
    }),
  );
});

/** A key as it stands, or objects in each other. */
function nested(key: string, value: unknown): [string, unknown] {
  const names = key.split('.');
  const [first = '', ...inner] = names;
  return [first, inner.reduceRight((object: unknown, name) => ({ [name]: object }), value)];
}

test('whatever is under the names that are known, no value is lost', () => {
  const all = originPaths.map((path) => originNames(path));
  const inRecord = [...all.flatMap(({ record }) => record), ...serviceNames];
  const inPod = [...all.flatMap(({ pod = [] }) => pod), 'labels', 'pod_labels', 'namespace_labels', 'other'];
  const inLabels = [...all.flatMap(({ labels = [] }) => labels), ...serviceLabels, 'app.kubernetes.io/name'];
  let count = 0;
  // Each value is another, so that it is found again.
  const value = fc.constantFrom('text', 'map', 'list', 'number').map((kind) => {
    const text = `v${count++};`;
    return kind === 'map' ? { 'a.b': text } : kind === 'list' ? [text] : kind === 'number' ? count + 1_000_000 : text;
  });
  const fieldsOf = (names: readonly string[]) =>
    fc
      .array(fc.tuple(fc.constantFrom(...names), value, fc.boolean()), { maxLength: 8 })
      .map((pairs) =>
        Object.fromEntries(pairs.map(([key, one, isNested]) => (isNested ? nested(key, one) : [key, one]))),
      );
  const map = fc.constantFrom(...labelMaps);
  const tag = fc.constantFrom('app', `kubernetes.var.log.containers.p_n_c-${ID}.log`);
  const leaves = (one: unknown): (string | number)[] =>
    typeof one === 'object' && one !== null ? Object.values(one).flatMap(leaves) : [one as string | number];
  fc.assert(
    fc.property(
      fieldsOf(inRecord),
      fieldsOf(inPod),
      fieldsOf(inLabels),
      map,
      tag,
      (record, pod, labels, name, ofBatch) => {
        const given = { ...record, kubernetes: pod, [name]: labels };
        const text = JSON.stringify(documentOf(entryOf(given), { batch: { ...batch, tag: ofBatch } }));
        for (const leaf of leaves(given))
          assert(text.includes(String(leaf)), `${leaf} of ${JSON.stringify(given)}: ${text}`);
      },
    ),
    { numRuns: 500 },
  );
});

test('no key comes twice that a line and its record both have: the record says more of it', () => {
  const attributes = (record: Fields, expected: string, time: unknown = 1) => {
    const text = textOf(entryOf(record, time));
    assert.equal(/"attributes":(\{.*\}),"fluentd"/.exec(text)?.[1], expected);
  };
  attributes({ log: '{"a":2,"zz":1}', zz: 3 }, '{"a":2,"zz":3}');
  attributes({ log: '{"http":{"x":1},"a":2}', http: { y: 2 } }, '{"a":2,"http":{"y":2}}');
  const log = '{"kubernetes":{"x":1},"a":2}';
  attributes({ log, kubernetes: { y: 2 } }, '{"a":2,"kubernetes":{"y":2}}');
  attributes({ log, kubernetes: { pod_name: 'p' } }, '{"kubernetes":{"x":1},"a":2}');
  attributes({ log, kubernetes: { pod: { name: 'p', odd: 1 } } }, '{"a":2,"kubernetes":{"pod":{"odd":1}}}');
  attributes({ log: '{"fluentd.metadata":1}' }, '{"fluentd.metadata":1}', [1, { m: 2 }]);
});
