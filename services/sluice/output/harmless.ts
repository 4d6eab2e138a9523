// Makes text harmless to a terminal: whoever can log can write escape sequences, which could retitle a window, hide lines,
// or type into a shell. Control characters, and those that turn the direction of text round, are shown as `\u001b`. Pure.

// C0 without tab and newline, DEL, C1; the marks of direction (a source of look-alike lines).
// oxlint-disable-next-line no-control-regex
const HARMFUL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Keeps newlines and tabs. What it writes instead is a valid escape in JSON too. */
export function harmless(text: string): string {
  return text.replaceAll(HARMFUL, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
