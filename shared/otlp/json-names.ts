// The field names of OTLP in JSON. The specification has them in lowerCamelCase. The names of the .proto are understood
// too: a field that was only ignored would be lost without a word. Unknown names are skipped, without a string for a
// long one.

import type { MsgpackReader } from '#shared/msgpack/reader.ts';

const VALUE_KINDS = [
  'stringValue',
  'boolValue',
  'intValue',
  'doubleValue',
  'bytesValue',
  'arrayValue',
  'kvlistValue',
] as const;
/** What an AnyValue holds. */
export type ValueKind = (typeof VALUE_KINDS)[number];
const KINDS_BY_NAME: ReadonlyMap<string, ValueKind> = new Map(VALUE_KINDS.map((kind) => [kind, kind]));

// prettier-ignore
const MESSAGE_NAMES = [
  'resourceLogs', 'resource', 'scopeLogs', 'scope', 'logRecords', 'attributes', 'name', 'version',
  'key', 'value', 'values',
  'timeUnixNano', 'observedTimeUnixNano', 'severityNumber', 'severityText', 'body', 'droppedAttributesCount', 'flags',
  'traceId', 'spanId', 'eventName',
];
/** Both spellings → the one in camel case. */
const NAMES: ReadonlyMap<string, string> = new Map(
  [...MESSAGE_NAMES, ...VALUE_KINDS].flatMap((name) => [
    [name, name] as const,
    [name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), name] as const,
  ]),
);
const NAME_BYTES_MAX = Math.max(...[...NAMES.keys()].map((name) => name.length));

/** Reads a name, and returns it in camel case; undefined for an unknown one, of which there may be millions. */
export function fieldName(reader: MsgpackReader): string | undefined {
  const name = reader.bytes();
  return name && name.length <= NAME_BYTES_MAX ? NAMES.get(name.toString('latin1')) : undefined;
}

/** Undefined if no value has this name. */
export function valueKind(name: string | undefined): ValueKind | undefined {
  return name === undefined ? undefined : KINDS_BY_NAME.get(name);
}
