// The figures in what a bench prints, and the comparison of two builds by them. Pure.
//
// A bench prints for people, and an older build prints as it did then. So a figure is any number of a line, and its
// name is the text around it. Figures of two builds belong together where those texts are the same.
//
//   gzip chunks with acks: 1450 k events per CPU-second (9000 of 9000 sent), peak 199 MiB
//   → `gzip chunks with acks: # k events per CPU-second` = 1450 … `gzip chunks with acks: peak # MiB` = 199

import { median } from './median.ts';

/** By name, in the order in which they were printed. */
type Figures = ReadonlyMap<string, number>;

export interface Comparison {
  readonly name: string;
  /** Medians of all runs. */
  readonly base: number;
  readonly here: number;
}

/** A digit in a word, as in `p99`, is no number. */
const NUMBER = /(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?(?![\w.])/g;
const SEPARATOR = /, |; | \(|\)| {2,}/;

export function figuresOf(output: string): Figures {
  const figures = new Map<string, number>();
  for (const line of output.split('\n')) {
    const [, title = '', text = ''] = /^(.*?: )?(.*)$/.exec(line.trim()) ?? [];
    for (const segment of text.split(SEPARATOR)) {
      const words = (title + segment.trim()).replaceAll(NUMBER, '#');
      for (const [number] of segment.matchAll(NUMBER)) {
        figures.set(unusedName(figures, words), Number(number.replaceAll(',', '')));
      }
    }
  }
  return figures;
}

/** Of several with the same words, as in a row of a table, the second is `words [2]`. */
function unusedName(figures: Figures, words: string): string {
  if (!figures.has(words)) return words;
  let n = 2;
  while (figures.has(`${words} [${n}]`)) n++;
  return `${words} [${n}]`;
}

/** What all runs of both have; without what is the same in each run, such as the number of senders. */
export function compareFigures(base: readonly Figures[], here: readonly Figures[]): Comparison[] {
  const names = [...(here[0]?.keys() ?? [])];
  return names.flatMap((name) => {
    const [ofBase, ofHere] = [valuesOf(base, name), valuesOf(here, name)];
    if (ofBase.length < base.length || ofHere.length < here.length) return [];
    if (new Set([...ofBase, ...ofHere]).size === 1) return [];
    return [{ name, base: median(ofBase), here: median(ofHere) }];
  });
}

function valuesOf(runs: readonly Figures[], name: string): number[] {
  return runs.map((figures) => figures.get(name)).filter((value) => value !== undefined);
}

export function comparisonTable(comparisons: readonly Comparison[]): string[] {
  const rows = comparisons.map(({ name, base, here }) => [
    String(base),
    String(here),
    base === 0 ? '-' : (here / base).toFixed(2),
    name,
  ]);
  const cells = [['base', 'here', 'ratio', ''], ...rows];
  const widths = [0, 1, 2].map((column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells.map((row) =>
    row
      .map((cell, column) => cell.padStart(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
