// The options that select dead letters, the same for list and replay.

import type { DeadLetterSelection } from '#shared/queue/dead-letter-reader.ts';
import { timeArgument } from './time-argument.ts';

export const selectionOptions = {
  reason: { type: 'string' },
  since: { type: 'string' },
  until: { type: 'string' },
} as const;

interface Given {
  readonly reason?: string | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
}

/** Throws usage_wrong where a time cannot be read. */
export function selectionOf({ reason, since, until }: Given, nowMs: number): DeadLetterSelection {
  const msOf = (option: string, text: string | undefined): number | undefined =>
    text === undefined ? undefined : Date.parse(timeArgument(option, text, nowMs));
  return { reason, fromMs: msOf('--since', since), toMs: msOf('--until', until) };
}
