// What the JSON tokens of a column say (shapes.ts), as the plain reading of a query sees them (query/matches.ts). Pure.

import { parseExactJson, exactNumberText } from '../../exact-json.ts';
import { keyOf } from './shapes.ts';

const INTEGER = /^(?:0|-?[1-9]\d{0,14})$/;

/** The text of a value that is one; null for `null`, and for lists and whole documents. */
export function leafOf(token: string): string | null {
  const first = token.charCodeAt(0);
  if (first === 0x22) return keyOf(token);
  if (isOpaque(token) || token === 'null') return null;
  if (isPlain(token)) return token;
  // JavaScript writes some numbers in another way than they were written.
  const [value] = parseExactJson(`[${token}]`) as unknown[];
  return exactNumberText(value) ?? String(value);
}

/** Lists, and whole documents: there is more than one value in them. */
export function isOpaque(token: string): boolean {
  const first = token.charCodeAt(0);
  return first === 0x5b || first === 0x7b;
}

/** Whether it is no string, and says what is written. */
function isPlain(token: string): boolean {
  return INTEGER.test(token) || token === 'true' || token === 'false' || token === 'null';
}

/** All texts in it, whatever the token is. */
export function visitLeaves(token: string, found: (text: string) => void): void {
  if (isOpaque(token)) visitValues(parseExactJson(token), found);
  else {
    const leaf = leafOf(token);
    if (leaf !== null) found(leaf);
  }
}

function visitValues(value: unknown, found: (text: string) => void): void {
  const exact = exactNumberText(value);
  if (typeof value === 'string') found(value);
  else if (exact !== null) found(exact);
  else if (typeof value === 'number' || typeof value === 'boolean') found(String(value));
  else if (typeof value === 'object' && value !== null)
    for (const inner of Object.values(value)) visitValues(inner, found);
}
