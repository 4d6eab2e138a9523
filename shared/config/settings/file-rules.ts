// `collect.files`: the files that this machine's forwarder reads, and how. Here are the form of a rule, and what is
// wrong with a list of them. Pure.
//
//   - include: [/var/log/*.log]          patterns of absolute paths: * ? [a-z] {a,b}, and ** for any folders
//     exclude: ['*.debug.log']           of paths, or of names alone
//     tag: file.web                      else `file.` and the path with dots
//     from: end                          of files that are there when they are first seen; else beginning
//     max_bytes_per_second: 1000000      of each source; else as fast as it can be read
//     encoding: latin1                   as the WHATWG names them; else UTF-8, or what the byte order mark says

import { type Static, Type } from 'typebox';
import { patternMistakes } from '../../name-pattern.ts';

const closed = { additionalProperties: false };
const Pattern = Type.String({ minLength: 1, maxLength: 4096 });
const ORIGINS = ['beginning', 'end'] as const;

const Rule = Type.Object(
  {
    include: Type.Array(Pattern, { minItems: 1, maxItems: 1000 }),
    exclude: Type.Optional(Type.Array(Pattern, { maxItems: 1000 })),
    tag: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
    from: Type.Optional(Type.Unsafe<(typeof ORIGINS)[number]>(Type.Enum([...ORIGINS]))),
    max_bytes_per_second: Type.Optional(Type.Integer({ minimum: 1024, maximum: 1e12 })),
    encoding: Type.Optional(Type.String({ minLength: 1, maxLength: 40 })),
  },
  closed,
);

export type FileRule = Readonly<Static<typeof Rule>>;

export const FileRules = Type.Unsafe<readonly FileRule[]>(Type.Array(Rule, { maxItems: 1000 }));

/** What is wrong with the rules, a sentence each, beside what their schema finds. */
export function fileRuleMistakes(rules: readonly FileRule[]): string[] {
  return rules.flatMap((rule, i) => mistakesOf(rule).map((mistake) => `collect.files.${i}: ${mistake}`));
}

function mistakesOf({ include, exclude = [], encoding }: FileRule): string[] {
  const mistakes = patternMistakes([...include, ...exclude]);
  for (const pattern of include) {
    if (!pattern.startsWith('/')) mistakes.push(`"${pattern}" is no absolute path`);
    if (pattern.endsWith('/')) mistakes.push(`"${pattern}" is a folder; its files are "${pattern}*"`);
  }
  if (encoding !== undefined && !isEncoding(encoding)) mistakes.push(`encoding "${encoding}" is not known`);
  return mistakes;
}

/** Lines of ISO-2022-JP cannot be told apart without reading all that is before them. */
function isEncoding(label: string): boolean {
  try {
    return new TextDecoder(label).encoding !== 'iso-2022-jp';
  } catch {
    return false;
  }
}
