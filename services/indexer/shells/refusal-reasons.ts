// Why events were refused once more, and how many: what is reported where they have their dead letters already. Pure.

import type { DeadLetter } from '#shared/queue/queue.ts';

/** Of reasons that are reported; senders have a say in what the store says. */
const REASONS_MAX = 20;
const REASON_LENGTH_MAX = 200;

export function noteRefusal(
  refused: Map<string, number>,
  { reason, error }: Pick<DeadLetter, 'reason' | 'error'>,
): void {
  const said = `${reason}: ${error}`.slice(0, REASON_LENGTH_MAX);
  const known = refused.has(said) || refused.size < REASONS_MAX ? said : 'other reasons';
  refused.set(known, (refused.get(known) ?? 0) + 1);
}
