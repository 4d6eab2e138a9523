// How a command shows lines at a terminal: the options that `sluice logs` and `sluice search` have alike for it.

import type { CommandContext } from '../process/command.ts';
import type { Where } from '#shared/store/where.ts';
import { soughtIn } from './sought.ts';
import type { PeopleViewOptions } from './people-view.ts';

export const VIEW_HELP = `\
      --raw           Lines as they were written; also at a terminal, which otherwise has levels in
                      colour, and fields and long stack traces in short
      --unfold        Stack traces whole
      --no-pager      Not through a pager`;

export const VIEW_OPTIONS = {
  raw: { type: 'boolean', default: false },
  unfold: { type: 'boolean', default: false },
  'no-pager': { type: 'boolean', default: false },
} as const;

export interface View {
  readonly raw: boolean;
  readonly unfold: boolean;
  readonly 'no-pager': boolean;
}

/** Null: as they were written. `where`: what is asked for. */
export function peopleView(view: View, { terminal }: CommandContext, where?: Where): PeopleViewOptions | null {
  const { raw, unfold } = view;
  if (raw) return null;
  return { hasColours: terminal?.hasColours ?? true, isWhole: unfold, sought: where ? soughtIn(where) : [] };
}
