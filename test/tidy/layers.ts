// The table of layers (docs/architecture.md), over every form of import. oxlint has the same rules for the editor, but
// sees static imports only, by the spelling of their path.

import { Visitor } from 'oxc-parser';
import type { Tree } from './tree.ts';

interface Layer {
  readonly within: string;
  readonly may: readonly string[];
  readonly because: string;
}

const APART = 'the forwarder and the indexer never import each other, and no command, function or test';
/** The first row that a file lies within decides. */
const layers: readonly Layer[] = [
  { within: 'shared/', may: ['shared/'], because: 'shared/ knows no service' },
  { within: 'services/forwarder/', may: ['services/forwarder/', 'shared/'], because: APART },
  { within: 'services/indexer/', may: ['services/indexer/', 'shared/'], because: APART },
  {
    within: 'services/',
    may: ['services/', 'shared/', 'package.json', 'dist/'],
    because: 'what is shipped knows no test',
  },
  {
    within: 'infra/dev/',
    may: ['infra/', 'services/', 'shared/', 'test/clients/', 'package.json'],
    because: 'the loop of development sends as the tests do, and knows nothing else of them',
  },
  {
    within: 'infra/',
    may: ['infra/', 'services/', 'shared/', 'package.json'],
    because: 'what is shipped knows no test',
  },
  {
    within: 'test/',
    may: ['test/', 'infra/', 'services/', 'shared/', 'package.json', 'knip.json'],
    because: 'all code is in four folders',
  },
];

/** The log and the registry. `telemetry.ts` of each service puts events into words; the others begin or carry it. */
const WORDS = ['shared/log.ts', 'shared/metrics.ts'];
const WORDED = [
  /^(services\/sluice|services\/lambda|infra|test)\//,
  /(^|[/-])telemetry\.ts$/,
  /^services\/forwarder\/main\.ts$/,
  /^services\/indexer\/(pipeline\/build-pipeline|shells\/(replay|reindex))\.ts$/,
  /^shared\/(access-log|queue\/dead-letter-metrics|queue\/queue-observer)\.ts$/,
];

/** Packages that are known in few files, and which. All others may be imported wherever they are needed. */
const clients: Readonly<Record<string, RegExp>> = {
  kafkajs: /^shared\/queue\/kafka\/kafkajs\//,
  '@elastic/elasticsearch': /^shared\/store\/elasticsearch\/connection\.ts$/,
  'prom-client': /^shared\/metrics\.ts$/,
  pino: /^shared\/log\.ts$/,
  'pino-pretty': /^shared\/log\.ts$/,
};

/** Who is started by people: arguments and the environment are read here, and handed down as settings. */
const ENTRIES = /^(services\/sluice|services\/lambda|infra|test)\//;
/** It gives a child no more of the environment than systems need to start a program. */
const CHILD_PROCESS = 'shared/child-process.ts';

export function layerViolations(tree: Tree): string[] {
  const found: string[] = [];
  for (const { path, imports } of tree.values()) {
    const layer = layers.find(({ within }) => path.startsWith(within));
    for (const { specifier, target, line } of imports) {
      const at = `${path}:${line}: imports ${specifier}`;
      if (target === null) {
        const [client = '', files] = Object.entries(clients).find(([name]) => isOf(specifier, name)) ?? [];
        if (files && !path.startsWith('test/') && !files.test(path)) found.push(`${at}: one place knows ${client}`);
      } else if (layer && !layer.may.some((folder) => target.startsWith(folder))) {
        found.push(`${at}: ${layer.because}`);
      } else if (WORDS.includes(target) && !WORDED.some((files) => files.test(path))) {
        found.push(`${at}: only telemetry.ts knows the log and the registry`);
      }
    }
  }
  return found;
}

export function environmentViolations(tree: Tree): string[] {
  const found: string[] = [];
  for (const { path, program, imports, lineAt } of tree.values()) {
    if (ENTRIES.test(path) || path === CHILD_PROCESS) continue;
    const tell = (line: number): void => {
      found.push(`${path}:${line}: only services/sluice and services/lambda read arguments and the environment`);
    };
    for (const { specifier, line } of imports) if (/^(node:)?process$/.test(specifier)) tell(line);
    new Visitor({
      MemberExpression: ({ object, property, start }) => {
        if (isNamed(object, /^process$/) && isNamed(property, /^(env|argv)$/)) tell(lineAt(start));
      },
      VariableDeclarator: ({ id, init, start }) => {
        if (id.type !== 'ObjectPattern' || !isNamed(init, /^process$/)) return;
        if (id.properties.some((one) => one.type === 'Property' && isNamed(one.key, /^(env|argv)$/)))
          tell(lineAt(start));
      },
    }).visit(program);
  }
  return found;
}

function isNamed(node: { readonly type: string } | null, name: RegExp): boolean {
  return node?.type === 'Identifier' && name.test((node as { name?: string }).name ?? '');
}

function isOf(specifier: string, name: string): boolean {
  return specifier === name || specifier.startsWith(`${name}/`);
}
