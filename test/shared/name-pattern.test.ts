// Patterns of names, compared with an expression that says the same; and what a name can cost.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NamePattern } from '#shared/name-pattern.ts';

/** The same pattern as an expression, which backtracks. */
function expressionOf(pattern: string): RegExp {
  let source = pattern.startsWith('.') ? '' : String.raw`(?!\.)`;
  let depth = 0;
  for (let at = 0; at < pattern.length; at += 1) {
    const letter = pattern[at] ?? '';
    if (letter === '*') source += '.*';
    else if (letter === '?') source += '.';
    else if (letter === '{') {
      source += '(?:';
      depth += 1;
    } else if (letter === '}' && depth > 0) {
      source += ')';
      depth -= 1;
    } else if (letter === ',' && depth > 0) source += '|';
    else if (letter === '[' && pattern.indexOf(']', at + 2) > 0) {
      const end = pattern.indexOf(']', at + 2);
      const inside = pattern.slice(at + 1, end).replaceAll('[', String.raw`\[`);
      source += `[${inside.startsWith('!') ? `^${inside.slice(1)}` : inside}]`;
      at = end;
    } else source += RegExp.escape(letter);
  }
  return new RegExp(`^${source}${')'.repeat(depth)}$`, 'su');
}

test('names that fit', () => {
  const check = (pattern: string, fitting: string[], others: string[]): void => {
    const compiled = new NamePattern(pattern);
    for (const name of fitting) assert.equal(compiled.test(name), true, `${pattern} ${name}`);
    for (const name of others) assert.equal(compiled.test(name), false, `${pattern} ${name}`);
  };
  check('*.log', ['a.log', 'a.log.log', '😀.log'], ['.log', '.a.log', 'a.log.1', 'log']);
  check('.*', ['.a', '.'], ['a']);
  check('app-?[0-9].{log,txt}', ['app-x1.log', 'app-😀9.txt'], ['app-1.log', 'app-xa.log', 'app-x1.lo']);
  check('{a*,*b}c', ['ac', 'axc', 'xbc', 'bc'], ['c', 'xc']);
  check('{a,{b,c}*}', ['a', 'b', 'cx'], ['ax', 'd']);
  check('[!a]*', ['b', 'bc'], ['a', 'ab']);
  check('{a', ['a'], ['{a']);
  check('a}', ['a}'], ['a']);
});

test('a pattern says what the expression says', () => {
  const pieces = fc.constantFrom('a', 'b', '*', '?', '-', '{', ',', '}', '[ab]', '[!a]', '.', '[');
  const names = fc.array(fc.constantFrom('a', 'b', '-', '.', '{', ',', '[', '😀'), { maxLength: 7 });
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 8 }), fc.array(names, { maxLength: 20 }), (parts, texts) => {
      const pattern = parts.join('');
      let expression: RegExp | null = null;
      try {
        expression = expressionOf(pattern);
      } catch {
        assert.throws(() => new NamePattern(pattern), SyntaxError);
      }
      if (expression === null) return;
      const compiled = new NamePattern(pattern);
      for (const text of texts.map((one) => one.join('')))
        assert.equal(compiled.test(text), expression.test(text), `${pattern} ${text}`);
    }),
    { numRuns: 2000 },
  );
});

test('a name costs no more than its length and that of the pattern', () => {
  // An expression would go through 255 ** 6 / 6! ways.
  const pattern = new NamePattern('*-*-*-*-*-*.log');
  for (let n = 0; n < 1000; n += 1) assert.equal(pattern.test(`${'-'.repeat(250)}x`), false);
  const nested = new NamePattern('{*a,{*a,*a}*}*.log');
  for (let n = 0; n < 1000; n += 1) assert.equal(nested.test('a'.repeat(255)), false);
});
