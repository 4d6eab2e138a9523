// The rule by which both stores split text into words: lower case; runs of letters, digits and `_`; each CJK character
// a word of its own (those languages have no spaces); all else separates. Marks (accents that follow their letter) belong to the run.
//
// Pure. The same rule is said three times: here for queries and for the embedded store, in elasticsearch/template.ts as an
// analyzer, and in elasticsearch/attribute-pattern.ts for values that Elasticsearch keeps whole. The contract test holds them together.

/** The scripts whose letters stand alone (not their symbols: those separate, as all symbols do). For the flag `v`. */
const SCRIPTS = String.raw`[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]`;
const CJK = String.raw`[[\p{L}\p{M}\p{N}]&&${SCRIPTS}]`;

const WORD = new RegExp(String.raw`${CJK}|[[\p{L}\p{M}\p{N}_]--${SCRIPTS}]+`, 'gv');
const CJK_CHARACTER = new RegExp(CJK, 'v');
const CJK_CHARACTERS = new RegExp(CJK, 'gv');
const CJK_ONLY = new RegExp(`^${CJK}+$`, 'v');
// Below U+1100 (Hangul Jamo) no character is CJK: a cheap way out for almost all text.
// oxlint-disable-next-line no-control-regex
const MAY_HOLD_CJK = /[^\u0000-\u10ff]/;

/** The words of a text, in order, in lower case. */
export function wordsOf(text: string): string[] {
  return text.toLowerCase().match(WORD) ?? [];
}

export function isCjk(word: string): boolean {
  return CJK_ONLY.test(word);
}

/** The text with each CJK character set apart by spaces, for a tokenizer that knows the rest of the rule only. */
export function separateCjk(text: string): string {
  if (!MAY_HOLD_CJK.test(text) || !CJK_CHARACTER.test(text)) return text;
  return text.replace(CJK_CHARACTERS, ' $& ');
}
