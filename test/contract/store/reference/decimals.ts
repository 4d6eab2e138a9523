// Decimal numbers, compared exactly: integers of any length. For the plain reading of queries; shares nothing with
// number-order.ts, against which it stands. What it says is the rule of docs/search.md: a value counts as a number
// where it is written as JSON writes one, in at most 24 characters; a query may write `+5`, `0500`, `5.` and `.5`.

/** `digits` × 10 to the power of `exponent`. */
export interface Decimal {
  readonly digits: bigint;
  readonly exponent: number;
}

const IN_QUERY = /^([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/;
const IN_DOCUMENT = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const LENGTH_MAX = 24;

/** Of a query. Null for what is no number. */
export function decimalOf(text: string): Decimal | null {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = IN_QUERY.exec(text) ?? [];
  if (`${whole}${fraction}` === '') return null;
  const digits = BigInt(`${whole}${fraction}`);
  return { digits: sign === '-' ? -digits : digits, exponent: Number(exponent) - fraction.length };
}

/** Of a value of a document. */
export function decimalIn(value: string): Decimal | null {
  return value.length <= LENGTH_MAX && IN_DOCUMENT.test(value) ? decimalOf(value) : null;
}

/** Below zero: `a` is less. */
export function compareDecimals(a: Decimal, b: Decimal): number {
  const exponent = Math.min(a.exponent, b.exponent);
  const [x, y] = [a, b].map((one) => one.digits * 10n ** BigInt(one.exponent - exponent)) as [bigint, bigint];
  return x < y ? -1 : x > y ? 1 : 0;
}
