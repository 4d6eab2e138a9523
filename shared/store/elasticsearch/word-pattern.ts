// The rule of words.ts as a pattern for Lucene's SimplePatternTokenizer, which walks an automaton. It takes 3 µs for a
// message of 200 bytes, where PatternTokenizer, with a regular expression of Java's, takes 27 to 45. Its patterns know
// no Unicode properties, so characters are listed, as ranges. They are those of this process's Unicode, which makes the
// words of a query too.
//
// Listed is what does not belong. Some versions of Lucene (10.1, for one) do not make automata minimal. There each
// range of a plain class has a state of its own, and the automaton takes megabytes, in each thread for each index. All
// that a class with `^` does not list comes to the same state.

import { isCjkCharacter, isWordCharacter } from '../words.ts';

const CODE_POINTS = 0x110000;
const SURROGATES = { first: 0xd800, last: 0xdfff };

let pattern: string | null = null;

/** `[^all but CJK characters]|[^all but other word characters]+`. Made once: a look at every code point takes 0.1 s. */
export function wordPattern(): string {
  return (pattern ??= `[^${rangesBeside(isCjkCharacter)}]|[^${rangesBeside(isWordCharacter)}]+`);
}

/** As the inside of a character class, without its members: `NUL-/:-@[-^…`. No end of a range has a meaning there. */
function rangesBeside(isMember: (character: string) => boolean): string {
  let ranges = '';
  for (let code = 0; code < CODE_POINTS; code++) {
    if (isIn(code, isMember)) continue;
    const first = code;
    while (code + 1 < CODE_POINTS && !isIn(code + 1, isMember)) code++;
    ranges += String.fromCodePoint(first);
    if (code > first) ranges += `-${String.fromCodePoint(code)}`;
  }
  return ranges;
}

/** Halves of a character are none. They lie between others that are none, so no range ends at one. */
function isIn(code: number, isMember: (character: string) => boolean): boolean {
  return (code < SURROGATES.first || code > SURROGATES.last) && isMember(String.fromCodePoint(code));
}
