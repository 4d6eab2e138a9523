// The labels of a Loki stream as text (https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs):
//
//   {app="shop", path="C:\\x", note=`as it is`}
//
// Values are Go's: in double quotes with escapes, or in backticks without. Pure and total.

export type Label = readonly [name: string, value: string];

/** Loki's own limit is 15 names by default. */
const LABELS_MAX = 256;
const TEXT_MAX = 64 * 1024;
const NAME = /\s*([a-zA-Z_][a-zA-Z0-9_.:/-]*)\s*=\s*/y;
const QUOTED = /"([^"\\\n]*(?:\\.[^"\\\n]*)*)"/y;
const RAW = /`([^`]*)`/y;
const COMMA = /\s*,/y;
const ESCAPE = /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|([^xuU0-7]))/g;
const LETTERS: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
  "'": "'",
};

/** What is wrong with the text, if it is a string. */
export function parseLabels(text: string): Label[] | string {
  if (text.length > TEXT_MAX) return `labels are longer than ${TEXT_MAX} characters`;
  const trimmed = text.trim();
  if (!trimmed.startsWith('{') || !trimmed.endsWith('}')) return 'labels have to stand in braces';
  const end = trimmed.length - 1;
  const labels: Label[] = [];
  let at = 1;
  while (trimmed.slice(at, end).trim() !== '') {
    if (labels.length === LABELS_MAX) return `there are more than ${LABELS_MAX} labels`;
    const name = matchAt(NAME, trimmed, at);
    if (!name) return 'a label has to be name="value"';
    at += name[0].length;
    const value = matchAt(QUOTED, trimmed, at) ?? matchAt(RAW, trimmed, at);
    if (!value || at + value[0].length > end) return `the value of the label ${name[1]} has to stand in quotes`;
    const isRaw = trimmed[at] === '`';
    at += value[0].length;
    labels.push([name[1] ?? '', isRaw ? (value[1] ?? '') : unescaped(value[1] ?? '')]);
    const comma = matchAt(COMMA, trimmed, at);
    if (comma) at += comma[0].length;
    else if (trimmed.slice(at, end).trim() !== '') return 'a comma is missing between labels';
  }
  return labels;
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

/** An unknown escape stays as it is. */
function unescaped(text: string): string {
  if (!text.includes('\\')) return text;
  return text.replaceAll(
    ESCAPE,
    (whole: string, hex?: string, u4?: string, u8?: string, octal?: string, one?: string) => {
      if (one !== undefined) return LETTERS[one] ?? whole;
      const code = octal === undefined ? Number.parseInt(hex ?? u4 ?? u8 ?? '', 16) : Number.parseInt(octal, 8);
      return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    },
  );
}
