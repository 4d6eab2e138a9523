// What is known of the terminal that somebody reads at: whether it has colours, and which pager to use.

import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface Terminal {
  /** Not where NO_COLOR is set (https://no-color.org), or the terminal knows none. */
  readonly hasColours: boolean;
  /** As for a shell; null where nobody could use one. */
  readonly pager: string | null;
}

export interface TerminalFacts {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether somebody reads standard output, and can press keys. */
  readonly isInteractive: boolean;
}

/** SLUICE_PAGER, else PAGER, else `less` if there is one. Empty, or `cat`: none. */
export function terminalOf({ env, isInteractive }: TerminalFacts): Terminal {
  const hasColours = (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
  const wanted = (env['SLUICE_PAGER'] ?? env['PAGER'] ?? (hasProgram('less', env['PATH']) ? 'less' : '')).trim();
  const hasPager = isInteractive && env['TERM'] !== 'dumb' && wanted !== '' && wanted !== 'cat';
  return { hasColours, pager: hasPager ? wanted : null };
}

function hasProgram(name: string, path = ''): boolean {
  return path.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
