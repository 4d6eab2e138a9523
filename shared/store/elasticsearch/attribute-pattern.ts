// Words inside attributes. A `flattened` field keeps each value whole, so a word in it is found by a pattern over the
// values: the words of the query, with what words.ts calls a separator (or an end) around them. Pure.
//
// Lucene's patterns match whole values, ignore case when asked to, and know no classes of letters, so the separators
// are listed. The list covers what occurs between words of logs; in doubt a word is found rather than missed.

import { isCjk, wordsOf } from '../words.ts';
import type { QueryTerm } from '../query-text.ts';

type Range = readonly [first: number, last: number];

const SEPARATORS: readonly Range[] = [
  [0x00, 0x2f],
  [0x3a, 0x40],
  [0x5b, 0x5e],
  [0x60, 0x60],
  [0x7b, 0xa9],
  [0xab, 0xb1],
  [0xb6, 0xb8],
  [0xbb, 0xbb],
  [0xbf, 0xbf],
  [0xd7, 0xd7],
  [0xf7, 0xf7],
  [0x2000, 0x206f],
  [0x20a0, 0x20cf],
  [0x2190, 0x2bff],
  [0x2e00, 0x2e7f],
  [0x3000, 0x3004],
  [0x3008, 0x3020],
  [0xfe10, 0xfe6f],
  [0xff00, 0xff0f],
  [0xff1a, 0xff20],
  [0x1f000, 0x1faff],
];

const CJK: readonly Range[] = [
  [0x1100, 0x11ff],
  [0x2e80, 0x2fdf],
  [0x3005, 0x3007],
  [0x3021, 0x3029],
  [0x3031, 0x318f],
  [0x31f0, 0x31ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa960, 0xa97f],
  [0xac00, 0xd7fb],
  [0xf900, 0xfaff],
  [0xff66, 0xffdc],
  [0x20000, 0x3ffff],
];

const BOUNDARY = `[${classOf([...SEPARATORS, ...CJK])}]`;
// Between words a shorter list does: what stands there may be no word of ASCII.
const GAP = '[^a-zA-Z0-9_]';

/** Elasticsearch refuses longer ones (`index.max_regex_length`). */
const PATTERN_LENGTH_MAX = 1000;

/** A pattern over whole values, to be used without regard to case; null where it would be too long. */
export function attributePattern(term: QueryTerm): string | null {
  const words = term.words;
  const first = words[0] ?? '';
  const last = words.at(-1) ?? '';
  let pattern = isCjk(first) ? '.*' : `(.*${BOUNDARY})?`;
  for (const [i, word] of words.entries()) {
    const before = words[i - 1];
    if (before !== undefined) pattern += isCjk(before) || isCjk(word) ? `${GAP}*` : `${GAP}+`;
    pattern += word;
  }
  pattern += term.prefix || isCjk(last) ? '.*' : `(${BOUNDARY}.*)?`;
  return pattern.length <= PATTERN_LENGTH_MAX ? pattern : null;
}

function classOf(ranges: readonly Range[]): string {
  return ranges.map(([first, last]) => `${character(first)}-${character(last)}`).join('');
}

/**
 * Only punctuation may be escaped: a backslash before anything else means a class, or (before NUL) nothing that
 * matches.
 */
function character(code: number): string {
  const text = String.fromCodePoint(code);
  return code > 0x20 && code < 0x7f && wordsOf(text).length === 0 ? `\\${text}` : text;
}
