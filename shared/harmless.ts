// Makes text harmless to a terminal: whoever can log can write escape sequences, which could retitle a window, hide
// lines, or type into a shell. Control characters, and those that turn the direction of text round, are shown as
// `\u001b`. Pure. A name is one line wherever it is printed, or a tag with a line end in it would forge a line of
// somebody else.

// C0 without tab and newline, DEL, C1; the marks of direction (a source of look-alike lines:
// https://www.unicode.org/reports/tr9/).
// oxlint-disable-next-line no-control-regex
const HARMFUL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Keeps newlines and tabs. What it writes instead is a valid escape in JSON too. */
export function harmless(text: string): string {
  return text.replaceAll(HARMFUL, escape);
}

/** The line ends in it, too: for names. */
export function oneLine(name: string): string {
  return name.replaceAll(/[\n\r\u0085\u2028\u2029]/g, escape);
}

function escape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
