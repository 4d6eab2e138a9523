// Codecs, parsers and tables are pure: no I/O, clock, random number, timer or promise. What they import is held to the
// same, all the way down, so that nothing impure comes in by a neighbour.

import { type Node, Visitor } from 'oxc-parser';
import type { SourceFile, Tree } from './tree.ts';

const PURE = [
  /^services\/forwarder\/(decode|dialects)\//,
  /^services\/indexer\/(parse|join|json)\//,
  /^services\/indexer\/(bulk\/(body|next-step)|settle\/outcomes)\.ts$/,
  /^services\/indexer\/commit\/contiguous-offsets\.ts$/,
  /^shared\/(json|msgpack|otlp|record)\//,
  /^shared\/store\/words\.ts$/,
  /^shared\/store\/embedded\/blocks\//,
];

/** What lies among the pure and is not, and why. Each must still need it. */
export const IMPURE: Readonly<Record<string, string>> = {
  'services/forwarder/dialects/elasticsearch/route.ts': 'answers requests',
  'services/forwarder/dialects/journal/route.ts': 'answers requests',
  'services/forwarder/dialects/loki/route.ts': 'answers requests',
  'services/forwarder/dialects/otlp/route.ts': 'answers requests',
  'services/forwarder/dialects/splunk/route.ts': 'answers requests',
  'services/forwarder/dialects/elasticsearch/handshake.ts': 'answers what clients ask first, in slices',
  'services/forwarder/dialects/conversions.ts': 'asks which buffers a thread may take over',
  'services/forwarder/dialects/conversion-worker.ts': 'is the beginning of a thread',
  'shared/record/compression.ts': "works in zlib's pool",
  'shared/record/unpack-slices.ts': "works in zlib's pool, and gives the loop its turn",
  'shared/record/identity.ts': 'gives random names to batches that have no chunk id',
  'shared/net/networks.ts': "has node:net's arithmetic of addresses",
};

/** Modules of Node without I/O, and which of their names where not all are harmless. */
const BUILTINS: Readonly<Record<string, RegExp>> = {
  assert: /./,
  'assert/strict': /./,
  buffer: /./,
  crypto: /^(createHash|hash)$/,
  string_decoder: /./,
  util: /^(?!promisify$)/,
  zlib: /^(constants|crc32|zstd(?:C|Dec)ompressSync)$/,
};
/** Packages that compute and no more. */
const PACKAGES = ['@bufbuild/protobuf/wire', 'snappyjs'];

const GLOBALS = new Set(
  `setTimeout setInterval setImmediate queueMicrotask fetch performance Promise process crypto Worker MessageChannel
   BroadcastChannel WebSocket EventSource`.split(/\s+/),
);
const MEMBERS = new Set([
  'Date.now',
  'Math.random',
  'AbortSignal.timeout',
  'Temporal.Now',
  'Atomics.wait',
  'Array.fromAsync',
]);

export function purityViolations(tree: Tree, impure: readonly string[] = Object.keys(IMPURE)): string[] {
  const reached = new Set([...tree.keys()].filter((path) => PURE.some((files) => files.test(path))));
  const found: string[] = [];
  for (const path of reached) {
    if (impure.includes(path)) continue;
    const file = tree.get(path);
    if (!file) continue;
    found.push(...impurities(file));
    for (const { target, isType } of file.imports) if (target !== null && !isType) reached.add(target);
  }
  return found;
}

/** Those of the list that are gone, or pure by now. */
export function needlesslyImpure(tree: Tree): string[] {
  const listed = Object.keys(IMPURE);
  return listed.filter((path) => {
    const others = listed.filter((other) => other !== path);
    return purityViolations(tree, others).length === purityViolations(tree).length;
  });
}

function impurities(file: SourceFile): string[] {
  const found: string[] = [];
  const tell = ({ start }: { readonly start: number }, what: string): void => {
    found.push(
      `${file.path}:${file.lineAt(start)}: ${what}: this layer is pure, its caller has clocks, I/O and promises`,
    );
  };
  const tellAsync = (node: Node & { readonly async: boolean }): void => {
    if (node.async) tell(node, 'async function');
  };
  new Visitor({
    ImportDeclaration: (node) => {
      if (node.importKind === 'type') return;
      const names = node.specifiers.map((one) =>
        one.type === 'ImportSpecifier' ? { name: nameOf(one.imported), isType: one.importKind === 'type' } : null,
      );
      if (!isHarmless(node.source.value, names)) tell(node, `import of ${node.source.value}`);
    },
    ExportAllDeclaration: (node) => {
      if (!isHarmless(node.source.value, [null])) tell(node, `export of ${node.source.value}`);
    },
    ImportExpression: (node) => tell(node, 'import at run time'),
    FunctionDeclaration: tellAsync,
    FunctionExpression: tellAsync,
    ArrowFunctionExpression: tellAsync,
    AwaitExpression: (node) => tell(node, 'await'),
    NewExpression: (node) => {
      if (node.callee.type !== 'Identifier') return;
      if (node.callee.name === 'Date' && node.arguments.length === 0) tell(node, 'new Date()');
      if (GLOBALS.has(node.callee.name)) tell(node, `new ${node.callee.name}`);
    },
    CallExpression: ({ callee }) => {
      if (callee.type !== 'Identifier') return;
      if (callee.name === 'Date' || GLOBALS.has(callee.name)) tell(callee, `${callee.name}()`);
    },
    VariableDeclarator: ({ id, init }) => {
      if (id.type !== 'ObjectPattern' || init?.type !== 'Identifier') return;
      for (const one of id.properties) {
        const member = one.type === 'Property' ? `${init.name}.${nameOf(one.key)}` : init.name;
        if (MEMBERS.has(member) || GLOBALS.has(init.name) || init.name === 'globalThis') tell(init, member);
      }
    },
    MemberExpression: (node) => {
      const { object, property } = node;
      const key = nameOf(property);
      if (object.type !== 'Identifier') return;
      if (MEMBERS.has(`${object.name}.${key}`)) tell(node, `${object.name}.${key}`);
      else if (GLOBALS.has(object.name)) tell(node, `${object.name}.${key}`);
      else if (object.name === 'globalThis') tell(node, `globalThis.${key}`);
    },
  }).visit(file.program);
  return found;
}

/** Null among the names: all of them. */
function isHarmless(specifier: string, names: readonly ({ name: string; isType: boolean } | null)[]): boolean {
  if (specifier.startsWith('.') || specifier.startsWith('#')) return true;
  if (PACKAGES.includes(specifier)) return true;
  const allowed = specifier.startsWith('node:') ? BUILTINS[specifier.slice('node:'.length)] : undefined;
  if (!allowed) return false;
  return names.every((one) => (one === null ? allowed.source === '.' : one.isType || allowed.test(one.name)));
}

function nameOf(node: { readonly type: string }): string {
  const { name, value } = node as { name?: string; value?: unknown };
  return name ?? (typeof value === 'string' ? value : '');
}
