// A test that asserts nothing is green for ever. And one that is run alone hides all others.

import { Visitor } from 'oxc-parser';
import type { SourceFile, Tree } from './tree.ts';

/** `assert(…)`, `assert.equal(…)`, `t.assert.equal(…)`, `fc.assert(…)`, `expect(…)`. */
const ASSERTION = /^(assert|expect|[a-z]\w*\.assert)(\.|$)/;

export function testsWithoutAssertion(tree: Tree): string[] {
  const found: string[] = [];
  for (const file of tree.values()) {
    if (!file.path.endsWith('.test.ts')) continue;
    const called = calls(file);
    const begins = file.imports.some(({ specifier }) => specifier === 'node:test');
    if (!begins) found.push(`${file.path}: has no test; import node:test, or name it without .test`);
    else if (!called.some((name) => ASSERTION.test(name))) found.push(`${file.path}: no test asserts anything`);
    if (called.some((name) => name.endsWith('.only'))) found.push(`${file.path}: .only hides all other tests`);
  }
  return found;
}

/** What is called, as `a.b.c`. */
function calls(file: SourceFile): string[] {
  const found: string[] = [];
  new Visitor({ CallExpression: ({ callee }) => void found.push(dotted(callee)) }).visit(file.program);
  return found;
}

function dotted(node: unknown): string {
  const { type, name, object, property } = node as {
    type: string;
    name?: string;
    object?: unknown;
    property?: unknown;
  };
  return type === 'MemberExpression' ? `${dotted(object)}.${dotted(property)}` : (name ?? '');
}
