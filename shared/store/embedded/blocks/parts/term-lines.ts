// Which lines of a column have the words of a term in a row, without a string for each: the words are looked for in
// all lines at once, and what stands round them is looked at where they are found. The same as `hasWords`
// (query/matches.ts) says of each line, which is a string of JSON. Pure.
//
//   "GET /a status=404"        status 404     words in a row, for only signs stand between them
//   "one\nstatus 404"          status 404     the n belongs to the escape, not to the word
//
// For lines of ASCII without \u: whoever calls asks of the others one by one.

import type { QueryTerm } from '../../../query-text.ts';

const NEWLINE = 0x0a;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const IN_WORD = Uint8Array.from({ length: 0x80 }, (_, code) => (/\w/.test(String.fromCharCode(code)) ? 1 : 0));
// oxlint-disable-next-line no-control-regex
const BEYOND_ASCII = /[^\u0000-\u007f]/;

/** Whether it can be looked through as it is written. */
export const isPlain = (text: string): boolean => !BEYOND_ASCII.test(text) && !text.includes(UNICODE_ESCAPE);
export const UNICODE_ESCAPE = '\\u';

/**
 * Calls `found` for each line that has the term, with its number and length in characters. `text`: plain, in lower
 * case. The lines that are no strings are found too, though their words may be none: of `"a"` and of `[1,2]` alike.
 */
export function linesWith(text: string, term: QueryTerm, found: (line: number, length: number) => void): void {
  const [first = ''] = term.words;
  let line = 0;
  let start = 0;
  let end = endOfLine(text, 0);
  for (let at = text.indexOf(first); at >= 0;) {
    while (end < at) {
      start = end + 1;
      end = endOfLine(text, start);
      line += 1;
    }
    if (isStart(text, at) && goesOn(text, at, term)) {
      found(line, end - start);
      at = text.indexOf(first, end);
    } else {
      // Behind the word that it is in: no other one begins before, unless the letter is of an escape.
      const isOfEscape = text.charCodeAt(at - 1) === BACKSLASH;
      at = text.indexOf(first, isOfEscape ? at + 1 : endOfWord(text, at));
    }
  }
}

function endOfLine(text: string, start: number): number {
  const end = text.indexOf('\n', start);
  return end < 0 ? text.length : end;
}

/** Whether a word begins here, where there is a letter of words. */
function isStart(text: string, at: number): boolean {
  const before = text.charCodeAt(at - 1);
  if (before === BACKSLASH) return !isEscaped(text, at);
  return IN_WORD[before] !== 1 || isEscaped(text, at - 1);
}

/** Whether the sign is what a backslash makes another one of. */
function isEscaped(text: string, at: number): boolean {
  let slash = at - 1;
  while (text.charCodeAt(slash) === BACKSLASH) slash--;
  return (at - slash) % 2 === 0;
}

/** Whether the words of the term stand in a row from here on. */
function goesOn(text: string, start: number, { words, prefix }: QueryTerm): boolean {
  let at = start;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? '';
    if (i > 0) {
      at = nextWord(text, at);
      if (at < 0) return false;
    }
    if (!text.startsWith(word, at)) return false;
    at += word.length;
    if (IN_WORD[text.charCodeAt(at)] === 1 && !(prefix && i === words.length - 1)) return false;
  }
  return true;
}

/** Where the next word of the line begins; -1 where there is none. */
function nextWord(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const sign = text.charCodeAt(at);
    if (sign === NEWLINE) return -1;
    // What it makes of the next sign belongs to no word.
    if (sign === BACKSLASH) at++;
    else if (IN_WORD[sign] === 1) return at;
  }
  return -1;
}

function endOfWord(text: string, from: number): number {
  let at = from + 1;
  while (IN_WORD[text.charCodeAt(at)] === 1) at++;
  return at;
}

/** Whether a token is a string of JSON. */
export const isString = (token: string): boolean => token.charCodeAt(0) === QUOTE;
