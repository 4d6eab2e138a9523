// How many lines somebody wants: a number, or `all`. Pure.

import { SluiceError } from '#shared/errors.ts';

/** A number of lines, or Infinity for `all` and what is negative. */
export function countArgument(option: string, text: string): number {
  if (text === 'all' || /^-\d{1,9}$/.test(text)) return Infinity;
  if (!/^\d{1,9}$/.test(text))
    throw new SluiceError('usage_wrong', `Cannot read ${option} "${text}": give a number, or all`);
  return Number(text);
}
