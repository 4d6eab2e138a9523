// JSON.parse that keeps every number as it was written. Logs carry 64-bit ids, and a document must leave the store as
// it went in; JavaScript would round them. A number that a double cannot hold becomes a JSON.rawJSON object, which
// JSON.stringify writes back digit by digit. Texts without such numbers (nearly all) take the plain road.

declare global {
  // In Node since version 21; TypeScript's library does not know them yet.
  interface JSON {
    rawJSON(text: string): { readonly rawJSON: string };
    isRawJSON(value: unknown): value is { readonly rawJSON: string };
    parse(
      text: string,
      reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
    ): unknown;
  }
}

// What a double may lose, where a number can stand: 17 digits, 16 that begin with 9, an exponent, a last zero ("1.50"),
// so small a number that JavaScript writes it with an exponent, "-0".
const MAY_LOSE =
  /[:,[]\s*-?(?:[0-9]{17}|9[0-9]{15}(?![0-9])|[0-9]+(?:\.[0-9]+)?[eE]|[0-9]+\.(?:\d{16}|0{6}|\d*0[\],}\s]))|[:,[]\s*-0/;

/** Whether each number of it is looked at: that takes many times as long. */
export const isCostly = (text: string): boolean => MAY_LOSE.test(text);

/** Throws SyntaxError where the text is not JSON. */
export function parseExactJson(text: string): unknown {
  return MAY_LOSE.test(text) ? JSON.parse(text, keepNumber) : JSON.parse(text);
}

/** The number's own text where it is one that parseExactJson kept; else null. */
export function exactNumberText(value: unknown): string | null {
  return JSON.isRawJSON(value) ? value.rawJSON : null;
}

function keepNumber(_key: string, value: unknown, context: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || context.source === undefined) return value;
  return String(value) === context.source ? value : JSON.rawJSON(context.source);
}
