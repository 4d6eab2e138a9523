// Patterns of paths, by their segments, so that folders are read as far as a pattern leads and no further. Pure.
//
//   *  any characters of one name      ?  one      [a-z] [!a-z]  one of them      {a,b}  either
//   ** alone in a segment: any number of folders
//
// Names that begin with a dot match only where the pattern has the dot. Links to folders are followed where a pattern
// names them, not below `**`, so that no circle of links is walked.

import { NamePattern } from '#shared/name-pattern.ts';

export const ANY_FOLDERS = '**';

/** A name that is matched as it is, a pattern, or `ANY_FOLDERS`. */
export type Segment = string | NamePattern;

const SPECIAL = /[*?[\]{}]/;

/** Of an absolute path. Throws a SyntaxError for a class of characters that is none. */
export function segmentsOf(pattern: string): readonly Segment[] {
  return pattern
    .split('/')
    .filter((segment) => segment !== '')
    .map((segment) => (segment === ANY_FOLDERS || !SPECIAL.test(segment) ? segment : new NamePattern(segment)));
}

/** Whether the whole path is one of the pattern's. */
export function matchesPath(segments: readonly Segment[], path: string): boolean {
  const names = path.split('/').filter((name) => name !== '');
  // By dynamic programming over the segments, so that many `**` cost no more than their number.
  let reached = new Set([0]);
  const closure = (from: Set<number>): Set<number> => {
    for (const at of from) if (segments[at] === ANY_FOLDERS) from.add(at + 1);
    return from;
  };
  reached = closure(reached);
  for (const name of names) {
    const next = new Set<number>();
    for (const at of reached) {
      const segment = segments[at];
      if (segment === undefined) continue;
      if (segment === ANY_FOLDERS) next.add(at);
      else if (matchesName(segment, name)) next.add(at + 1);
    }
    reached = closure(next);
  }
  return reached.has(segments.length);
}

export function matchesName(segment: Segment, name: string): boolean {
  return typeof segment === 'string' ? segment === name : segment.test(name);
}

/** A pattern of texts that are no names of files, such as labels: slashes and dots are like other characters. */
export function matcherOfTexts(pattern: string): (text: string) => boolean {
  const matched = new NamePattern(pattern, { isOfFiles: false });
  return (name) => matched.test(name);
}
