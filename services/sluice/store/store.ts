// `sluice store`: looks after the files of the embedded store. Beside a running Sluice, too.

import { SluiceError } from '#shared/errors.ts';
import type { CommandContext } from '../process/command.ts';

export const help = `Usage: sluice store [sizes] [-n N] [--json]
       sluice store compact
       sluice store verify [--json]
       sluice store export [--since TIME] [--until TIME] [--where QUERY] > FILE
       sluice store import FILE… [--json]

Looks after the embedded store. All of it works while \`sluice run\` uses the store.

sizes     What the store takes on the disk against its bound, and the streams and containers that take most
compact   Makes the files as small as they can be: merges small blocks, and gives free space back to the disk
verify    Reads every block and checks it: checksums, bounds, names and counts. Names what is damaged
export    Writes documents to standard output, as JSON lines, in the order in which they came
import    Reads such lines, from files (.gz and .zst too) or - for standard input. What is there already is not
          added again; after an interrupt it goes on when it is run again

  -n N           So many containers (default: 20), or all
  --since TIME   Documents at or after: 10m, 2h30m (ago), 2026-03-01T12:00:00Z, or Unix seconds
  --until TIME   Documents before
  --where QUERY  Documents that fit; see docs/search.md
  --json         For scripts: one line of JSON

  sluice store export --since 2d | zstd > logs.ndjson.zst
  SLUICE_DATA_DIR=/mnt/new sluice store import logs.ndjson.zst

Exit codes: 0 done; 1 something is damaged, was refused, or was interrupted; 2 wrong usage.
`;

const subcommands: Readonly<
  Record<string, () => Promise<{ run(args: string[], context: CommandContext): Promise<number> }>>
> = {
  sizes: () => import('./sizes.ts'),
  size: () => import('./sizes.ts'),
  compact: () => import('./compact.ts'),
  verify: () => import('./verify.ts'),
  export: () => import('./export.ts'),
  import: () => import('./import.ts'),
};

export async function run(args: string[], context: CommandContext): Promise<number> {
  const [name = 'sizes', ...rest] = args;
  // `sluice store --json`
  if (name.startsWith('-')) return (await import('./sizes.ts')).run(args, context);
  const load = Object.hasOwn(subcommands, name) ? subcommands[name] : undefined;
  if (load === undefined)
    throw new SluiceError(
      'usage_wrong',
      `Cannot tell what to do with the store: "${name}" is none of sizes, compact, verify, export and import`,
    );
  return (await load()).run(rest, context);
}
