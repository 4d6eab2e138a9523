// Colours of a terminal, the basic ones: every palette has them, and people set theirs to what they can read. Pure.

const CODES = { red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36, dim: 2 } as const;

export type Style = keyof typeof CODES;

/** `text` must be harmless already, or it could end the style. */
export function styled(text: string, style: Style): string {
  return text === '' ? '' : `\u001b[${CODES[style]}m${text}\u001b[0m`;
}

/** A pager shows the lines of a text by themselves, so each has its own style. */
export function styledLines(text: string, style: Style): string {
  if (!text.includes('\n')) return styled(text, style);
  return text
    .split('\n')
    .map((line) => styled(line, style))
    .join('\n');
}
