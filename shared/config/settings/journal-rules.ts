// `collect.journal`: what this machine's forwarder reads of systemd's journal. Here are the form of the rule, what is
// wrong with one, and what its priorities mean. Pure.
//
//   units: [nginx, 'docker*']          names, and patterns with * ? [a-z] {a,b}; else all, and what has no unit
//   exclude: ['user@*.service']
//   priority: warning                  and what is more severe; or notice..err
//   scope: system                      or user; else both
//   directory: /var/log/journal        else where journalctl looks
//   namespace: '*'                     as journalctl takes it; else the default one
//   from: end                          at the first start; else beginning
//   tag: journal

import { type Static, Type } from 'typebox';

const Pattern = Type.String({ minLength: 1, maxLength: 1024 });
const SCOPES = ['system', 'user'] as const;
const ORIGINS = ['beginning', 'end'] as const;

export const JournalRules = Type.Object(
  {
    units: Type.Optional(Type.Array(Pattern, { minItems: 1, maxItems: 1000 })),
    exclude: Type.Optional(Type.Array(Pattern, { maxItems: 1000 })),
    priority: Type.Optional(Type.Union([Type.Integer({ minimum: 0, maximum: 7 }), Type.String({ maxLength: 40 })])),
    scope: Type.Optional(Type.Unsafe<(typeof SCOPES)[number]>(Type.Enum([...SCOPES]))),
    directory: Type.Optional(Type.String({ minLength: 2, maxLength: 1024 })),
    namespace: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
    from: Type.Optional(Type.Unsafe<(typeof ORIGINS)[number]>(Type.Enum([...ORIGINS]))),
    tag: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
  },
  { additionalProperties: false },
);

export type JournalRule = Readonly<Static<typeof JournalRules>>;

/** What is wrong with the rule, a sentence each, beside what its schema finds. */
export function journalRuleMistakes({ units = [], exclude = [], ...rule }: JournalRule): string[] {
  const { priority, directory, namespace } = rule;
  const mistakes: string[] = [];
  for (const text of [...units, ...exclude, ...[directory, namespace].filter((one) => one !== undefined)])
    // A program that is given it might take it for an option.
    if (text.startsWith('-')) mistakes.push(`"${text}" begins with "-"`);
  if (directory !== undefined && !/^\/[^\0]*$/.test(directory)) mistakes.push(`"${directory}" is no absolute path`);
  if (namespace !== undefined && !NAMESPACE.test(namespace)) mistakes.push(`"${namespace}" is no namespace`);
  if (directory !== undefined && namespace !== undefined)
    mistakes.push('a directory has the journals of all namespaces in it; leave out one of directory and namespace');
  if (priority !== undefined && prioritiesOf(priority) === null)
    mistakes.push(`priority "${priority}" is none of ${NAMES.join(', ')}, 0 to 7, or two of them with ".." between`);
  return mistakes.map((mistake) => `collect.journal: ${mistake}`);
}

/** A name, a name and the default one (`+name`), or all. */
const NAMESPACE = /^(?:\*|\+?[\w.:@-]+)$/;
/** Their places are their numbers. */
const NAMES = ['emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug'];

/** The first and the last number that are wanted, 0 for the most severe; null where it says none, or nothing. */
export function prioritiesOf(text: JournalRule['priority']): readonly [number, number] | null {
  if (text === undefined) return null;
  const ends = String(text).split('..');
  const [first = -1, last] = ends.map(priorityOf);
  if (ends.length > 2 || first < 0 || (last ?? 0) < 0) return null;
  if (last === undefined) return [0, first];
  return [Math.min(first, last), Math.max(first, last)];
}

function priorityOf(text: string): number {
  return /^[0-7]$/.test(text) ? Number(text) : NAMES.indexOf(text);
}
