import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { matchesGlob } from '#shared/glob.ts';

function check(pattern: string, text: string, expected: boolean) {
  test(`${pattern} ${expected ? 'takes' : 'does not take'} "${text}"`, () =>
    assert.equal(matchesGlob(pattern, text), expected));
}

check('app', 'app', true);
check('app', 'app.web', false);
check('app.*', 'app.web.1', true);
check('app.*', 'app', false);
check('*', '', true);
check('*.web', 'a.b.web', true);
check('a*b*c', 'axxbyyc', true);
check('a*b*c', 'axxbyy', false);
check('a**c', 'ac', true);
check('a.b', 'axb', false);
check('*ab', 'aab', true);

test('it agrees with regular expressions', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), maxLength: 10 });
  fc.assert(
    fc.property(text, fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 12 }), (pattern, subject) => {
      const parts = pattern.split('*').map((part) => part.replaceAll('.', '\\.'));
      assert.equal(matchesGlob(pattern, subject), new RegExp(`^${parts.join('.*')}$`).test(subject));
    }),
    { numRuns: 2000 },
  );
});
