// `sluice dead-letters`: what could not be indexed, and another try.

import { SluiceError } from '#shared/errors.ts';
import type { CommandContext } from '../process/command.ts';

export const help = `Usage: sluice dead-letters list [--reason R] [--since TIME] [--until TIME] [-n N] [--all] [--json]
       sluice dead-letters show ID [--json | --raw]
       sluice dead-letters replay [--reason R] [--since TIME] [--until TIME] [--again] [--dry-run]

What could not be indexed, with the reason and the original bytes; and another try, when the reason is mended.

list      One letter a line, oldest first: its ID, when it came, the reason, the tag, what the store said
show      All of one letter: its names, the reason, the event as JSON
replay    Indexes the events of the letters under the names that they always had, so what is there meanwhile is not added again.
          Letters that are done are marked, and left out from then on; what is refused again stays as it is

  --reason R    Letters of this reason only, such as document_refused
  --since TIME  Letters from this time on: 10m, 2h, 3d (ago), RFC 3339, or Unix seconds
  --until TIME  Letters before this time
  -n, --tail N  The last N
  --all         Also what was replayed
  --json        One JSON object a line
  --raw         The letter's bytes as they are, and nothing else
  --again       Also what was replayed before
  --dry-run     Tells what would be replayed, and does nothing

With the embedded queue, replay works beside \`sluice run\`: it asks the running process to do it, on SLUICE_ADMIN_LISTEN.
Exit codes: 0 done, 1 something was refused again or not found, 2 wrong usage.
`;

const subcommands: Readonly<
  Record<string, () => Promise<{ run(args: string[], context: CommandContext): Promise<number> }>>
> = {
  list: () => import('../dead-letters/list.ts'),
  show: () => import('../dead-letters/show.ts'),
  replay: () => import('../dead-letters/replay.ts'),
};

export async function run([name = '', ...args]: string[], context: CommandContext): Promise<number> {
  const load = Object.hasOwn(subcommands, name) ? subcommands[name] : undefined;
  if (load === undefined) {
    const what = name === '' ? 'it is missing' : `"${name}" is none`;
    throw new SluiceError(
      'usage_wrong',
      `Cannot tell what to do with dead letters: say list, show or replay (${what})`,
    );
  }
  return (await load()).run(args, context);
}
