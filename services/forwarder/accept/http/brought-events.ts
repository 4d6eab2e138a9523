// What of a body is refused once it is known how many events there are: a body alone has a limit of them
// (event-limit.ts), and so has what its address brings altogether (event-debts.ts).

import { SluiceError } from '#shared/errors.ts';
import { countExcessOf } from '#shared/record/event-limit.ts';
import type { BroughtEvents, EventDebt } from '../../admit/event-debts.ts';

const IN_DEBT = 'Cannot take events: their address sends too many small events; send again later';

/** Before a body is read. Throws rate_limited. */
export function refuseInDebt(debt: EventDebt | null): void {
  if (debt !== null && debt.waitMs > 0) throw new SluiceError('rate_limited', IN_DEBT);
}

/**
 * Before anything of them is stored: a body is taken whole, or comes again whole. Counts them. Throws too_many_events;
 * rate_limited where many bodies came at once.
 */
export function countBrought(brought: BroughtEvents, debt: EventDebt | null): void {
  const excess = countExcessOf(brought);
  if (excess !== null) throw new SluiceError('too_many_events', `Cannot take events: ${excess}; send fewer at once`);
  if (debt?.isDeep) throw new SluiceError('rate_limited', IN_DEBT);
  debt?.take(brought);
}
