// The field names of OTLP in JSON. The specification has them in lowerCamelCase. The names of the .proto are understood
// too: a field that was only ignored would be lost without a word. Names are compared as bytes, and known by a number:
// a body may have millions of them, and nothing is made for one.

/** Field → its number. */
export const FIELD = {
  resourceLogs: 0,
  resource: 1,
  scopeLogs: 2,
  scope: 3,
  logRecords: 4,
  attributes: 5,
  name: 6,
  version: 7,
  key: 8,
  value: 9,
  values: 10,
  timeUnixNano: 11,
  observedTimeUnixNano: 12,
  severityNumber: 13,
  severityText: 14,
  body: 15,
  droppedAttributesCount: 16,
  flags: 17,
  traceId: 18,
  spanId: 19,
  eventName: 20,
  // What an AnyValue holds.
  stringValue: 21,
  boolValue: 22,
  intValue: 23,
  doubleValue: 24,
  bytesValue: 25,
  arrayValue: 26,
  kvlistValue: 27,
} as const;

export type FieldName = keyof typeof FIELD;
export const FIELDS = Object.keys(FIELD).length;
/** An unknown name. */
export const UNKNOWN = -1;

/** Whether a field is one of an AnyValue. */
export function isValueKind(field: number): boolean {
  return field >= FIELD.stringValue;
}

interface Spelling {
  readonly name: Buffer;
  readonly field: number;
}

/** By their length. */
const SPELLINGS: readonly (readonly Spelling[])[] = spellings();

/** The number of the field that is named by bytes[start, end), in either spelling; UNKNOWN for another name. */
export function fieldIn(bytes: Uint8Array, start: number, end: number): number {
  const known = SPELLINGS[end - start];
  if (known === undefined) return UNKNOWN;
  for (const { name, field } of known) if (isAt(bytes, start, name)) return field;
  return UNKNOWN;
}

function isAt(bytes: Uint8Array, start: number, name: Buffer): boolean {
  for (let i = 0; i < name.length; i += 1) if (bytes[start + i] !== name[i]) return false;
  return true;
}

function spellings(): Spelling[][] {
  const byLength: Spelling[][] = [];
  for (const [camelCase, field] of Object.entries(FIELD)) {
    const snakeCase = camelCase.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    for (const text of new Set([camelCase, snakeCase]))
      (byLength[text.length] ??= []).push({ name: Buffer.from(text), field });
  }
  return Array.from(byLength, (some) => some ?? []);
}
