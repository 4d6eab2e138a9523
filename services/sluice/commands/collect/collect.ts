// `sluice collect GLOB…`: reads files of this machine, with everything else that its configuration asks for: all in one
// process, or, where brokers are set, as a forwarder.

import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { fileRuleMistakes, type FileRule } from '#shared/config/settings/file-rules.ts';
import { SluiceError } from '#shared/errors.ts';
import type { Command, CommandContext } from '../../process/command.ts';

export const help = `Usage: sluice collect GLOB… [--exclude GLOB]… [--tag TAG] [--from beginning|end] [--config FILE]

Reads files as they grow: all lines of those that are there, each once, whatever rotation does to them.
Then \`sluice logs -f\` shows them. As \`sluice run\`; with SLUICE_KAFKA_BROKERS as \`sluice forwarder\`.
Give patterns in quotes: then files that come later are read too. The tag of a line is \`file.\` and its path with dots.

  GLOB            * ? [a-z] {a,b}, and ** for any folders: '/var/log/*.log'
  --exclude GLOB  Files that are left out, by path or by name; may stand several times
  --tag TAG       Of all lines, in place of the path's
  --from end      Leaves out what files have when they are first seen
`;

const options = {
  exclude: { type: 'string', multiple: true },
  tag: { type: 'string' },
  from: { type: 'string' },
} as const;

export async function run(args: string[], context: CommandContext): Promise<number> {
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
  const { exclude, tag, from = 'beginning' } = values;
  if (positionals.length === 0) throw wrong('no file is named; give patterns, such as /var/log/*.log');
  if (from !== 'beginning' && from !== 'end') throw wrong(`--from is "${from}"; it is beginning or end`);
  for (const pattern of positionals) {
    if (pattern === '') throw wrong('a pattern is empty');
    // A shell makes it of `collect $LOGS/`; as a pattern it matches no file.
    if (statSync(pattern, { throwIfNoEntry: false })?.isDirectory() === true)
      throw wrong(`${pattern} is a folder; give a pattern, such as '${join(pattern, '*.log')}'`);
  }
  const rule: FileRule = {
    include: positionals.map((pattern) => resolve(pattern)),
    from,
    ...(exclude !== undefined && { exclude: exclude.map((one) => (one.includes('/') ? resolve(one) : one)) }),
    ...(tag !== undefined && { tag }),
  };
  const [mistake] = fileRuleMistakes([rule]);
  if (mistake !== undefined) throw wrong(mistake);
  const { config } = context;
  const collected = { ...config, 'collect.files': [rule, ...(config['collect.files'] ?? [])] };
  const service: Command = config['queue'] === 'kafka' ? await import('../forwarder.ts') : await import('../run.ts');
  return service.run([], { ...context, config: collected });
}

function wrong(why: string): SluiceError {
  return new SluiceError('usage_wrong', `Cannot collect: ${why}; see --help`);
}
