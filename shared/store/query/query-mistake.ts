// What is wrong with a query, and where: the line of the query with a caret under the place. Pure.

import { harmless, oneLine } from '#shared/harmless.ts';
import { isCjkCharacter } from '../words.ts';

export interface QueryMistake {
  readonly message: string;
  /** Of the place in the query, in UTF-16 units. */
  readonly at: number;
}

/** Thrown inside the parser only, which catches it. */
export class Mistake extends Error {
  readonly at: number;

  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

/** The value is none that the field can have; where the name means another field too, it may be one of that. */
export class Unfit extends Mistake {}

/** Of the query, to each side of the place. */
const SHOWN = 50;

/** Three lines: what is wrong, the query around the place, a caret. */
export function mistakeText(query: string, { message, at }: QueryMistake): string {
  const from = Math.max(0, at - SHOWN);
  const before = line((from > 0 ? '…' : '') + query.slice(from, at));
  const after = line(query.slice(at, at + SHOWN) + (at + SHOWN < query.length ? '…' : ''));
  // A CJK character takes two columns, and so does this space.
  const indent = Array.from(before, (character) => (isCjkCharacter(character) ? '\u3000' : ' ')).join('');
  return `${message}\n  ${before}${after}\n  ${indent}^`;
}

/** Whoever prints it makes control characters harmless, which changes its length: so it is done here. */
const line = (text: string): string => oneLine(harmless(text.toWellFormed().replaceAll(/[\t\n]/g, ' ')));
