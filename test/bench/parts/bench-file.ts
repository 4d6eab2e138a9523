/** Benches that have folders of their own. */
const FOLDERS: Readonly<Record<string, string>> = {
  files: 'files/bench.ts',
  tail: 'tail/bench.ts',
  indexer: 'indexer/bench.ts',
  parsing: 'indexer/parsing.ts',
};

/** Where a bench is, from the folder of the benches. */
export function benchFile(name: string): string {
  return FOLDERS[name] ?? `${name}.ts`;
}
