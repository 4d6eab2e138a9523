// The texts that a query looks for in messages, so that of a long document what was found can be shown. Pure.

import type { Where } from '#shared/store/where.ts';

/** Each is looked for in each line of a long trace. */
const SOUGHT_MAX = 16;

/** In lower case. What is excluded is left out. */
export function soughtIn(where: Where): string[] {
  return [...textsOf(where)].slice(0, SOUGHT_MAX).map((text) => text.toLowerCase());
}

function* textsOf(where: Where): Generator<string> {
  if (where.kind === 'words' || where.kind === 'text') yield where.term.raw;
  if (where.kind === 'and' || where.kind === 'or') for (const node of where.nodes) yield* textsOf(node);
}
