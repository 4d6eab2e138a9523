// The rule by which both stores split text into words: lower case; runs of letters, digits and `_`; each CJK character
// a word of its own (those languages have no spaces); all else separates. Marks (accents that follow their letter)
// belong to the run. Of a very long word (base64, hex) only the beginning counts: an index takes no longer terms, and
// would refuse the whole document.
//
// Pure. The same rule is said twice: here for queries, for the embedded store, and for the analyzer that is made of it
// (elasticsearch/word-pattern.ts); and in elasticsearch/attribute-pattern.ts for values that Elasticsearch keeps whole.
// The contract test holds them together.

/** The scripts whose letters stand alone (not their symbols: those separate, as all symbols do). For the flag `v`. */
const SCRIPTS = String.raw`[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]`;
const CJK = String.raw`[[\p{L}\p{M}\p{N}]&&${SCRIPTS}]`;

const IN_WORD = String.raw`[[\p{L}\p{M}\p{N}_]--${SCRIPTS}]`;

const WORD = new RegExp(`${CJK}|${IN_WORD}+`, 'gv');
const WORD_CHARACTER = new RegExp(`^${IN_WORD}`, 'v');
const ASCII_IN_WORD = Uint8Array.from({ length: 0x80 }, (_, code) => (/\w/.test(String.fromCharCode(code)) ? 1 : 0));
const CJK_CHARACTER = new RegExp(CJK, 'v');
const CJK_CHARACTERS = new RegExp(CJK, 'gv');
const CJK_ONLY = new RegExp(`^${CJK}+$`, 'v');
// Below U+1100 (Hangul Jamo) no character is CJK: a cheap way out for almost all text.
// oxlint-disable-next-line no-control-regex
const MAY_HOLD_CJK = /[^\u0000-\u10ff]/;

/**
 * Of a word, in UTF-16 units: at most three bytes of UTF-8 each. Lucene takes terms of 32,766 bytes, SQLite's index
 * cuts them at 32,768. The same as `ignore_above` of attributes, so that none of their words is ever cut.
 */
export const WORD_MAX = 8191;

/** The words of a text, in order, in lower case. */
export function wordsOf(text: string): string[] {
  return shortenWords(text.toLowerCase()).match(WORD) ?? [];
}

/** The text with all words cut to what counts of them. */
export function shortenWords(text: string): string {
  let shortened = '';
  let taken = 0;
  for (let start = 0; start + WORD_MAX < text.length;) {
    // A word that is too long has nothing else in it up to its limit. Seen from there, ordinary text is told after a
    // few characters.
    const limit = start + WORD_MAX;
    let at = limit;
    while (at >= start && isInWord(text, at)) at--;
    if (at >= start) {
      start = at + 1;
      continue;
    }
    let end = limit;
    while (end < text.length && isInWord(text, end)) end++;
    shortened += text.slice(taken, cutOf(text, limit));
    taken = end;
    start = end;
  }
  return taken === 0 ? text : shortened + text.slice(taken);
}

/** Where to cut instead of at `at`, so that no character is cut in two. */
function cutOf(text: string, at: number): number {
  return (text.codePointAt(at - 1) ?? 0) > 0xffff ? at - 1 : at;
}

/**
 * Whether the character of which this unit is (a half of) belongs to a word of several. A regular expression of long
 * runs overflows the stack.
 */
function isInWord(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  if (unit < 0x80) return ASCII_IN_WORD[unit] === 1;
  const before = text.codePointAt(at - 1) ?? 0;
  return WORD_CHARACTER.test(String.fromCodePoint(before > 0xffff ? before : (text.codePointAt(at) ?? 0)));
}

/** Whether a character belongs to a word of several. */
export function isWordCharacter(character: string): boolean {
  return WORD_CHARACTER.test(character);
}

/** Whether a character is a word of its own. */
export function isCjkCharacter(character: string): boolean {
  return CJK_CHARACTER.test(character);
}

export function isCjk(word: string): boolean {
  return CJK_ONLY.test(word);
}

/** The text with each CJK character set apart by spaces, for a tokenizer that knows the rest of the rule only. */
export function separateCjk(text: string): string {
  if (!MAY_HOLD_CJK.test(text) || !CJK_CHARACTER.test(text)) return text;
  return text.replace(CJK_CHARACTERS, ' $& ');
}
