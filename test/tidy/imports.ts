// What a file imports, in every form that reaches another file: static, of types, dynamic, re-exported, `import()` as
// a type, `require`, `getBuiltinModule`, and `new URL('./thread.ts', import.meta.url)`. Aliases and relative paths
// come to the same path from the root, so no spelling gets round a rule.

import { posix } from 'node:path';
import { type Program, Visitor } from 'oxc-parser';
import manifest from '../../package.json' with { type: 'json' };

export interface Import {
  readonly specifier: string;
  /** Path from the root for what is ours; else null: a package, or a module of Node. */
  readonly target: string | null;
  /** Of types alone: nothing of it is there at run time. */
  readonly isType: boolean;
  readonly line: number;
}

interface Source {
  readonly start: number;
  readonly value: string;
}

export function importsOf(path: string, program: Program, lineAt: (offset: number) => number): Import[] {
  const found: Import[] = [];
  const add = (source: Source, isType: boolean): void => {
    const specifier = source.value;
    found.push({ specifier, target: resolved(path, specifier), isType, line: lineAt(source.start) });
  };
  const addLiteral = (node: unknown, form = /./): void => {
    const literal = node as { type: string; start: number; value?: unknown } | undefined;
    if (literal?.type === 'Literal' && typeof literal.value === 'string' && form.test(literal.value)) {
      add({ start: literal.start, value: literal.value }, false);
    }
  };
  new Visitor({
    ImportDeclaration: (node) => add(node.source, node.importKind === 'type'),
    ExportAllDeclaration: (node) => add(node.source, node.exportKind === 'type'),
    ExportNamedDeclaration: (node) => {
      if (node.source) add(node.source, node.exportKind === 'type');
    },
    TSImportType: (node) => add(node.source, true),
    NewExpression: ({ callee, arguments: [path, base] }) => {
      const isUrl = callee.type === 'Identifier' && callee.name === 'URL' && base?.type === 'MemberExpression';
      if (isUrl && base.object.type === 'MetaProperty') addLiteral(path, /\.ts$/);
    },
    ImportExpression: (node) => addLiteral(node.source),
    CallExpression: ({ callee, arguments: [argument] }) => {
      const name = callee.type === 'MemberExpression' ? callee.property : callee;
      if (name.type === 'Identifier' && /^(require|getBuiltinModule)$/.test(name.name)) addLiteral(argument);
    },
  }).visit(program);
  return found;
}

function resolved(from: string, specifier: string): string | null {
  if (specifier.startsWith('.')) return posix.join(posix.dirname(from), specifier);
  for (const [alias, path] of Object.entries(manifest.imports)) {
    const prefix = alias.slice(0, -1);
    if (specifier.startsWith(prefix)) return posix.join(path.slice(0, -1), specifier.slice(prefix.length));
  }
  return null;
}
