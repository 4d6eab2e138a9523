// `--level`, `--pod`, `--namespace` and `--tenant` of `sluice logs` and `sluice search`: options in place of what a
// query would say, so that the most usual questions need no language.

import { levelOfWord, levelWords } from '#indexer/parse/line/level-words.ts';
import { SluiceError } from '#shared/errors.ts';
import { fieldNamed } from '#shared/store/query/fields.ts';
import { parseQuery } from '#shared/store/query/parser.ts';
import type { Where } from '#shared/store/where.ts';

export const CHOSEN_HELP = `      --level LEVEL   At this level or worse: debug, info, notice, warn, error, critical, …
      --pod NAME      Of a pod of Kubernetes; * stands for anything
      --namespace NS  Of a namespace of Kubernetes; * stands for anything
      --tenant NAME   Of a tenant`;

export const CHOSEN_OPTIONS = {
  level: { type: 'string' },
  pod: { type: 'string' },
  namespace: { type: 'string' },
  tenant: { type: 'string' },
} as const;

export interface Chosen {
  readonly level?: string | undefined;
  readonly pod?: string | undefined;
  readonly namespace?: string | undefined;
  readonly tenant?: string | undefined;
}

/** From the mildest, as stored (docs/documents.md). */
export const LEVELS: readonly string[] = levelWords.slice(1);

/** `where` and what was chosen, both. Throws usage_wrong for a level that there is not. */
export function chosenWhere(
  where: Where | undefined,
  { level, pod, namespace }: Chosen,
  nowMs: number,
): Where | undefined {
  const nodes = [
    ...(where === undefined ? [] : [where]),
    ...(level === undefined ? [] : [worseThan(level)]),
    ...(pod === undefined ? [] : [valueOf('kubernetes.pod.name', pod, nowMs)]),
    ...(namespace === undefined ? [] : [valueOf('kubernetes.namespace', namespace, nowMs)]),
  ];
  return nodes.length > 1 ? { kind: 'and', nodes } : nodes[0];
}

function worseThan(text: string): Where {
  const bytes = Buffer.from(text);
  const level = levelOfWord(bytes, 0, bytes.length);
  if (level === 0)
    throw new SluiceError('usage_wrong', `Cannot read --level "${text}": give one of ${LEVELS.join(', ')}`);
  const field = fieldNamed('log.level');
  const nodes = levelWords
    .slice(level)
    .map((value) => ({ kind: 'equals', field, at: 0, value, number: null }) as const);
  return { kind: 'or', nodes };
}

/** By the parser, so that a star means what it means in a query. */
function valueOf(field: string, value: string, nowMs: number): Where {
  const escaped = value.replaceAll(/[^\p{L}\p{N}*]/gu, String.raw`\$&`);
  const parsed = parseQuery(`${field}:${escaped}`, { nowMs });
  if ('mistake' in parsed || value === '')
    throw new SluiceError('usage_wrong', `Cannot read "${value}": give the name of a pod or namespace`);
  return parsed.where;
}
