// Reads YAML that may hold secrets: the reasons for which it cannot be read never show any of it. The parser's own
// messages quote the line, or the name of an alias, which is what a token without quotes seems to be.
// Pure.

import { parseDocument } from 'yaml';

const ALIAS = 'a value that begins with * is an alias, and names no anchor; put it in quotes';

/** Throws an Error whose message says what is wrong, and where. */
export function parseYaml(text: string): unknown {
  // Its warnings are not printed: they quote the text too.
  const document = parseDocument(text);
  const [mistake] = document.errors;
  if (mistake) {
    const [start] = mistake.linePos ?? [];
    const place = start ? ` at line ${start.line}, column ${start.col}` : '';
    throw new Error(`it is no YAML: ${mistake.code.toLowerCase().replaceAll('_', ' ')}${place}`);
  }
  const tree = valueOf(document);
  if (tree === null) throw new Error(ALIAS);
  return tree.value;
}

/** Null where an alias stands for nothing: the error names the alias. */
function valueOf(document: { toJS(): unknown }): { readonly value: unknown } | null {
  try {
    return { value: document.toJS() };
  } catch {
    return null;
  }
}
