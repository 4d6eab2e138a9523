// filter_path against a plain reference that goes through all ways in which a path may fit, and what it costs at its
// worst.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseFilterPath } from '#forwarder/dialects/elasticsearch/filter-path.ts';
import { matchesGlob } from '#shared/glob.ts';

type Path = readonly string[];

function reference(value: unknown, paths: readonly Path[]): unknown {
  if (paths.some((path) => path.length === 0 || (path.length === 1 && path[0] === '**'))) return value;
  if (typeof value !== 'object' || value === null) return undefined;
  if (Array.isArray(value)) {
    const rest = value.map((element: unknown) => reference(element, paths)).filter((element) => element !== undefined);
    return rest.length > 0 ? rest : undefined;
  }
  const pairs = Object.entries(value).flatMap(([name, child]) => {
    const further = paths.flatMap((path) => rests(path, name));
    const rest = further.length > 0 ? reference(child, further) : undefined;
    return rest === undefined ? [] : [[name, rest]];
  });
  return pairs.length > 0 ? Object.fromEntries(pairs) : undefined;
}

function rests([head = '', ...tail]: Path, name: string): Path[] {
  if (head === '**') return [['**', ...tail], ...(tail.length > 0 ? rests(tail, name) : [])];
  return matchesGlob(head, name) ? [tail] : [];
}

test('it keeps what a plain reference keeps', () => {
  const name = fc.constantFrom('a', 'b', 'ab');
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      fc.integer(),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(name, tie('tree')),
    ),
  }));
  const path = fc.array(fc.constantFrom('a', 'b', 'ab', '*', 'a*', '**'), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(fc.dictionary(name, tree), fc.array(path, { minLength: 1, maxLength: 4 }), (value, paths) => {
      const filter = parseFilterPath(paths.map((names) => names.join('.')).join(',')) ?? assert.fail();
      assert.deepEqual(filter.filtered(value), reference(value, paths) ?? {});
    }),
  );
});

test('the costliest paths compare each name of an answer once, however many items it has', () => {
  const filter = parseFilterPath(Array.from({ length: 32 }, () => '**.**.**.**.**.**.**.x').join()) ?? assert.fail();
  let looks = 0;
  const item = () =>
    new Proxy(
      { create: { _index: 'a', status: 201 } },
      {
        ownKeys(target) {
          looks += 1;
          return Reflect.ownKeys(target);
        },
      },
    );
  const items = Array.from({ length: 100_000 }, item);
  assert.deepEqual(filter.filtered({ took: 1, errors: false, items }), {});
  assert.equal(looks, items.length);
});

test('paths that senders write, a line a case', () => {
  const answer = {
    took: 1,
    errors: true,
    items: [{ create: { status: 201, _id: 'x' } }, { index: { status: 400, error: { type: 't', reason: 'r' } } }],
  };
  const check = (text: string, expected: unknown) =>
    assert.deepEqual((parseFilterPath(text) ?? assert.fail()).filtered(answer), expected);
  check('errors,items.*.error,items.*.status', {
    errors: true,
    items: [{ create: { status: 201 } }, { index: { status: 400, error: { type: 't', reason: 'r' } } }],
  });
  check('took', { took: 1 });
  check('items.create', { items: [{ create: { status: 201, _id: 'x' } }] });
  check('**.type', { items: [{ index: { error: { type: 't' } } }] });
  check('items.**', { items: answer.items });
  check('t*k', { took: 1 });
  check('nothing', {});
  check('took.deeper', {});
  assert.equal(parseFilterPath('a,'.repeat(33)), undefined);
  assert.equal(parseFilterPath('**.'.repeat(9)), undefined);
  assert.equal(parseFilterPath(''), null);
});
