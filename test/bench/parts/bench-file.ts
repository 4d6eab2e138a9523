/** Where a bench is, from the folder of the benches: one that is made of several files has a folder of its own. */
export function benchFile(name: string): string {
  return name === 'files' ? 'files/bench.ts' : `${name}.ts`;
}
