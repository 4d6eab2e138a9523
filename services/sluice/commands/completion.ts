// `sluice completion`: the script by which a shell completes `sluice …`, and the words that the script asks for.

import { parseArgs } from 'node:util';
import { SluiceError } from '#shared/errors.ts';
import { scripts, type Shell, SHELLS } from '../completion/scripts.ts';
import { storedNames } from '../completion/stored-names.ts';
import { type Known, wordsFor } from '../completion/words.ts';
import { Output } from '../output/output.ts';
import type { CommandContext } from '../process/command.ts';
import { openSearched } from '../remote/open-searched.ts';

export const help = `Usage: sluice completion bash | zsh | fish

Prints a script that makes the shell complete commands, options, and names of containers:

  bash   source <(sluice completion bash)                   in ~/.bashrc
  zsh    source <(sluice completion zsh)                    in ~/.zshrc, after compinit
  fish   sluice completion fish > ~/.config/fish/completions/sluice.fish
`;

/** Nobody waits longer for a word. */
const ASKED_MS = 2000;

export async function run(args: string[], context: CommandContext): Promise<number> {
  const { positionals } = parseArgs({ args, options: {}, allowPositionals: true });
  const [shell, ...words] = positionals;
  const output = new Output(context);
  if (shell === 'words') {
    await output.write((await wordsFor(words, knownTo(context))).map((word) => `${word}\n`).join(''));
    return 0;
  }
  if (!isShell(shell) || words.length > 0)
    throw new SluiceError('usage_wrong', `Cannot complete: name one shell of ${SHELLS.join(', ')}`);
  await output.write(scripts[shell]);
  return 0;
}

function knownTo({ config, clock, signal, commands = {} }: CommandContext): Known {
  return {
    commands: Object.keys(commands),
    helpOf: async (name) => (Object.hasOwn(commands, name) ? ((await commands[name]?.())?.help ?? null) : null),
    async namesOf(kind, prefix) {
      try {
        const asked = AbortSignal.any([signal, AbortSignal.timeout(ASKED_MS)]);
        const warn = (): void => undefined;
        await using store = await openSearched(config, { clock, warn, signal: asked });
        return await storedNames(store, { kind, prefix, nowMs: clock.epochMs() }, asked);
      } catch {
        // She is typing: a store that can't be asked has no names for her, and its error no place on her line.
        return [];
      }
    },
  };
}

const isShell = (name: string | undefined): name is Shell => SHELLS.some((shell) => shell === name);
