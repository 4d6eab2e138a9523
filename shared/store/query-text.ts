// The text of a search as people type it, made into terms that must all occur.
//
//   connection refused      both words, anywhere
//   "connection refused"    the words in a row
//   10.0.0.1  中文          words in a row too: what is typed in one piece is looked for in one piece
//   refus*  "by peer 10*"   the last word is only the beginning of one
//
// Pure and total: every text is a query. There are no operators that could be misspelt; what holds no word says
// nothing.

import { wordsOf } from './words.ts';

export interface QueryTerm {
  /** As typed, without quotes and star. A store that splits text in its own way takes this. */
  readonly raw: string;
  /** At least one word by the rule of words.ts; several must stand in a row. */
  readonly words: readonly string[];
  /** Whether the last word may go on. */
  readonly prefix: boolean;
}

const PIECE = /"([^"]*)(?:"|$)|([^\s"]+)/g;

export function parseQueryText(text: string): QueryTerm[] {
  const terms: QueryTerm[] = [];
  for (const [, quoted, bare] of text.matchAll(PIECE)) {
    const piece = (quoted ?? bare ?? '').trim();
    const prefix = piece.endsWith('*');
    const raw = prefix ? piece.replace(/\*+$/, '') : piece;
    const words = wordsOf(raw);
    if (words.length > 0) terms.push({ raw, words, prefix });
  }
  return terms;
}
