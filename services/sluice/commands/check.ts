// `sluice check`: the configuration was validated when it was loaded; what is left are the files that it names, and to show what is
// in force.

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { checkEdge } from '#forwarder/admit/check.ts';
import { type Setting, type SettingName, settings, variableOf } from '#shared/config/settings.ts';
import { textFromValue } from '#shared/config/value-text.ts';
import type { CommandContext } from '../command.ts';

export const help = `Usage: sluice check [--config FILE]

Validates the configuration and the files that it names, and prints the effective one, a variable a line, secrets masked.
Exit code 2 with each mistake on a line if it is not valid.
`;

export async function run(args: string[], { config, stdout, stderr }: CommandContext): Promise<number> {
  parseArgs({ args, options: {} });
  checkEdge(config, (path) => readFileSync(path, 'utf8'));
  for (const name of Object.keys(settings) as SettingName[]) {
    const setting: Setting = settings[name];
    const value = config[name];
    if (value === undefined) continue;
    const text = setting.secret ? '********' : textFromValue(setting.syntax, value);
    stdout.write(`${variableOf(name)}=${text}\n`);
  }
  if (config['frame.file_max_bytes'] === 0) {
    const limit = textFromValue('bytes', config['frame.max_bytes']);
    stderr.write(
      `Forward frames above ${limit} will be refused: SLUICE_FRAME_FILE_MAX_BYTES=0. Give senders a smaller chunk limit.\n`,
    );
  }
  return 0;
}
