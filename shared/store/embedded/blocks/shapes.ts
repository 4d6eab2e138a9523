// A document's JSON, taken apart into what it has in common with others and what it says: the shape is all text between
// the values, the values are JSON tokens as they were written. Put together again it is the same text, byte for byte.
// Pure; linear in the text.
//
//   {"@timestamp":"2026…","log":{"level":"info"},"attributes":{"n":[1,2]}}
//   pieces   {"@timestamp":   ,"log":{"level":   },"attributes":{"n":   }}
//   paths    @timestamp       log.level          attributes.n
//   values   "2026…"          "info"             [1,2]
//
// A list is one value. What cannot be taken apart (a key twice, a key of ours with a dot in it, objects that are too
// deep, keys that are too long) is one value as a whole, which has no path.

export interface Shape {
  /** One more than there are paths. */
  readonly pieces: readonly string[];
  /** Of each value: its keys, with dots between them. Null: the whole document. */
  readonly paths: readonly (string | null)[];
}

export const WHOLE: Shape = { pieces: ['', ''], paths: [null] };

const DEPTH_MAX = 20;
const PATHS_MAX = 300;
/** What is below a key repeats it in its path, and the engine compares long strings of one length with each other. */
const PATH_LENGTH_MAX = 1024;
/** Of all paths. */
const PATHS_LENGTH_MAX = 16 * 1024;
/** Where senders choose keys. Elsewhere one with a dot would look like two, which mean another field. */
const FREE_KEYS = /^(?:attributes|kubernetes\.(?:labels|annotations))\./;
const LITERAL = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null/y;
const SPACE = /\s*/y;

/** `text` is a JSON object, without a newline. */
export function shapeOf(text: string): Shape {
  const pieces: string[] = [];
  const paths: string[] = [];
  const prefixes: string[] = [];
  const seen = new Set<string>();
  let prefix = '';
  let at = spaceEnd(text, 0) + 1;
  let taken = 0;
  let pathsLength = 0;
  for (;;) {
    at = spaceEnd(text, at);
    const sign = text[at];
    if (sign === '}') {
      at = spaceEnd(text, at + 1);
      const outer = prefixes.pop();
      if (outer === undefined) break;
      prefix = outer;
    } else if (sign === ',') {
      at += 1;
    } else {
      const keyEnd = stringEnd(text, at);
      if (keyEnd < 0) return WHOLE;
      const key = keyOf(text.slice(at, keyEnd));
      if (key.includes('.') && !FREE_KEYS.test(prefix)) return WHOLE;
      const path = prefix + key;
      pathsLength += path.length;
      if (path.length > PATH_LENGTH_MAX || pathsLength > PATHS_LENGTH_MAX) return WHOLE;
      // In UTF-8, halves of surrogate pairs are all alike.
      if (!path.isWellFormed()) return WHOLE;
      // Of a key that is there twice, the last one counts.
      if (seen.size === seen.add(path).size) return WHOLE;
      at = spaceEnd(text, spaceEnd(text, keyEnd) + 1);
      if (text[at] === '{') {
        if (prefixes.length >= DEPTH_MAX) return WHOLE;
        prefixes.push(prefix);
        prefix = `${path}.`;
        at += 1;
        continue;
      }
      const end = valueEnd(text, at);
      if (end < 0 || paths.length >= PATHS_MAX) return WHOLE;
      pieces.push(text.slice(taken, at));
      paths.push(path);
      taken = at = end;
    }
  }
  pieces.push(text.slice(taken));
  return { pieces, paths };
}

/**
 * The values of a text of this shape, or null where it has another. Where the strings of the text are right, and it has
 * no newline, each is a value of JSON.
 */
export function valuesOfShape(text: string, { pieces, paths }: Shape): string[] | null {
  if (paths[0] === null) return [text];
  const values: string[] = [];
  let at = 0;
  for (let i = 0; i < pieces.length; i++) {
    const piece = pieces[i] ?? '';
    // Not `startsWith`: that compares letter by letter.
    if (text.slice(at, at + piece.length) !== piece) return null;
    at += piece.length;
    if (i === pieces.length - 1) break;
    const end = valueEnd(text, at);
    if (end < 0) return null;
    const value = text.slice(at, end);
    if (value.charCodeAt(0) === 0x5b && !isJson(value)) return null;
    values.push(value);
    at = end;
  }
  return at === text.length ? values : null;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Where the value that begins here ends; -1 where it is an object. */
function valueEnd(text: string, at: number): number {
  const first = text.charCodeAt(at);
  if (first === 0x22) return stringEnd(text, at);
  if (first === 0x5b) return listEnd(text, at);
  if (first === 0x7b) return -1;
  LITERAL.lastIndex = at;
  return LITERAL.test(text) ? LITERAL.lastIndex : -1;
}

/** Behind the quote that closes the string; -1 where there is none. */
function stringEnd(text: string, at: number): number {
  if (text.charCodeAt(at) !== 0x22) return -1;
  for (let quote = text.indexOf('"', at + 1); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let slash = quote - 1;
    while (text.charCodeAt(slash) === 0x5c) slash--;
    if ((quote - slash) % 2 === 1) return quote + 1;
  }
  return -1;
}

function listEnd(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const sign = text[at];
    if (sign === '"') {
      at = stringEnd(text, at) - 1;
      if (at < start) return -1;
    } else if (sign === '[' || sign === '{') depth += 1;
    else if ((sign === ']' || sign === '}') && --depth === 0) return at + 1;
  }
  return -1;
}

function spaceEnd(text: string, at: number): number {
  SPACE.lastIndex = at;
  SPACE.test(text);
  return SPACE.lastIndex;
}

/** What a string of JSON says. */
export function keyOf(token: string): string {
  return token.includes('\\') ? String(JSON.parse(token)) : token.slice(1, -1);
}
