// A document as a list of its values with their paths, and text as a list of its words: what the plain reading of
// queries looks at. Slow, short, and nothing of it is the stores' own.

import type { Field } from '#shared/store/where.ts';

export interface PlainDocument {
  readonly id: string;
  readonly leaves: readonly Leaf[];
  /** ns since the epoch. */
  readonly time: bigint;
  readonly sequence: bigint;
}

interface Leaf {
  /** The keys on the way, with dots between; arrays have none. */
  readonly path: string;
  readonly value: string;
}

class NumberAsWritten {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** `json`: as it was sent to the store. */
export function plainDocument(id: string, json: string): PlainDocument {
  const parsed = JSON.parse(json, (_, value: unknown, { source }) =>
    typeof value === 'number' ? new NumberAsWritten(source ?? '') : value,
  );
  const leaves: Leaf[] = [];
  collect(parsed, '', leaves);
  const only = (path: string): string => leaves.find((leaf) => leaf.path === path)?.value ?? '';
  return { id, leaves, time: plainInstant(only('@timestamp')) ?? 0n, sequence: BigInt(only('event.sequence')) };
}

function collect(value: unknown, path: string, leaves: Leaf[]): void {
  if (value instanceof NumberAsWritten) leaves.push({ path, value: value.text });
  else if (typeof value === 'string' || typeof value === 'boolean') leaves.push({ path, value: String(value) });
  else if (Array.isArray(value)) for (const element of value) collect(element, path, leaves);
  else if (typeof value === 'object' && value !== null)
    for (const [key, inner] of Object.entries(value)) collect(inner, path === '' ? key : `${path}.${key}`, leaves);
}

const KEYWORD_MAX = 1024;
const ATTRIBUTE_MAX = 8191;

/** Longer ones are kept and not found (docs/documents.md). */
export function plainValues({ leaves }: PlainDocument, { path, kind, root, key }: Field): string[] {
  const isOfField = (leaf: Leaf): boolean =>
    kind === 'flattened' && key === '' ? leaf.path === root || leaf.path.startsWith(`${root}.`) : leaf.path === path;
  const max = kind === 'keyword' ? KEYWORD_MAX : kind === 'flattened' ? ATTRIBUTE_MAX : Infinity;
  return leaves.filter((leaf) => isOfField(leaf) && leaf.value.length <= max).map(({ value }) => value);
}

/** Of all fields that a name means. */
export function plainNamedValues(document: PlainDocument, field: Field): string[] {
  return [field, ...(field.also === undefined ? [] : [field.also])].flatMap((one) => plainValues(document, one));
}

/** Lower case; runs of letters, marks, digits and `_`; each character of Chinese, Japanese and Korean alone. */
export function plainWords(text: string): string[] {
  const words: string[] = [];
  let run = '';
  const end = (): void => {
    if (run !== '') words.push(run);
    run = '';
  };
  for (const character of text.toLowerCase()) {
    const isLetter = /\p{L}|\p{M}|\p{N}/u.test(character);
    const isAlone = /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}/u.test(character);
    if ((isLetter && !isAlone) || character === '_') run += character;
    else {
      end();
      if (isLetter) words.push(character);
    }
  }
  end();
  return words;
}

/** Null for what is no time of a document. */
export function plainInstant(text: string): bigint | null {
  const [, second, fraction = ''] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/.exec(text) ?? [];
  if (second === undefined) return null;
  return BigInt(Date.parse(`${second}Z`)) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}
