// The text of a query, as a command got it: a tree, or an error that shows the place of the mistake.

import { SluiceError } from '#shared/errors.ts';
import { type ParsedQuery, parseQuery } from '#shared/store/query/parser.ts';
import { mistakeText } from '#shared/store/query/query-mistake.ts';

/** Throws usage_wrong. */
export function readQuery(text: string, nowMs: number): Exclude<ParsedQuery, { readonly mistake: unknown }> {
  const parsed = parseQuery(text, { nowMs });
  if (!('mistake' in parsed)) return parsed;
  throw new SluiceError('usage_wrong', `Cannot read the query: ${mistakeText(text, parsed.mistake)}`);
}
