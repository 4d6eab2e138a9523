/** Where a bench is, from the folder of the benches: some have folders of their own. */
export function benchFile(name: string): string {
  return name === 'files' || name === 'tail' ? `${name}/bench.ts` : `${name}.ts`;
}
