// Which words may stand where one is being typed: commands, the options that the help of a command has, levels, and
// the names of containers, services and pods that the store has lately seen. Pure, but for what it is told to ask.

import { LEVELS } from '../search/chosen.ts';

export interface Known {
  readonly commands: readonly string[];
  /** The text of `sluice COMMAND --help`; null where there is no such command. */
  readonly helpOf: (command: string) => Promise<string | null>;
  /** Names that begin so. */
  readonly namesOf: (kind: NameKind, prefix: string) => Promise<readonly string[]>;
}

export type NameKind = 'any' | 'pod' | 'namespace' | 'tenant';

/** Options whose value is a name. */
const NAMED: ReadonlyMap<string, NameKind> = new Map([
  ['--name', 'any'],
  ['--pod', 'pod'],
  ['--namespace', 'namespace'],
  ['--tenant', 'tenant'],
]);

/** Commands whose argument is a name. */
const OF_NAMES: ReadonlySet<string> = new Set(['logs']);

/** @param line the words after `sluice`; the last one is being typed */
export async function wordsFor(line: readonly string[], known: Known): Promise<readonly string[]> {
  const typed = line.at(-1) ?? '';
  const before = line.at(-2);
  const command = line.length > 1 ? line[0] : undefined;
  const fitting = (words: readonly string[]): string[] => words.filter((word) => word.startsWith(typed));
  if (command === undefined) return fitting([...known.commands, '--help', '--version']);
  if (before === '--level') return fitting(LEVELS);
  const named = NAMED.get(before ?? '');
  if (named !== undefined) return known.namesOf(named, typed);
  if (typed.startsWith('-')) return fitting(optionsIn((await known.helpOf(command)) ?? ''));
  return OF_NAMES.has(command) && (before === command || !before?.startsWith('-')) ? known.namesOf('any', typed) : [];
}

/** `-f, --follow` and `    --since TIME` at the beginning of a line. */
export function optionsIn(help: string): string[] {
  const found = help.matchAll(/^ +(?:-\w, )?(--[a-z][a-z-]*)/gm);
  return [...new Set([...found].map(([, option = '']) => option)), '--config', '--help'].filter(
    (option, at, all) => all.indexOf(option) === at,
  );
}
