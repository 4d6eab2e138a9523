// Reads YAML that may hold secrets: the reasons for which it cannot be read never show any of it. The parser's own
// messages quote the line, or the name of an alias, which is what a token without quotes seems to be.
// Pure.

import { parse, YAMLParseError } from 'yaml';

const ALIAS = 'a value that begins with * is an alias, and names no anchor; put it in quotes';

/** Throws an Error whose message says what is wrong, and where. */
export function parseYaml(text: string): unknown {
  try {
    // Its warnings quote the text too.
    return parse(text, { logLevel: 'error' }) as unknown;
  } catch (error) {
    throw new Error(reasonWithoutText(error));
  }
}

function reasonWithoutText(error: unknown): string {
  if (!(error instanceof YAMLParseError)) return error instanceof ReferenceError ? ALIAS : 'it is no YAML';
  const [start] = error.linePos ?? [];
  const place = start ? ` at line ${start.line}, column ${start.col}` : '';
  return `it is no YAML: ${error.code.toLowerCase().replaceAll('_', ' ')}${place}`;
}
