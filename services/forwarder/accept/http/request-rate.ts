// Where a request's body has no known end, it is read only as fast as its address may send.

import type { IncomingMessage } from 'node:http';
import type { Clock } from '#shared/clock.ts';
import { type AddressRate, passed } from '../../admit/address-rates.ts';
import type { EventDebt } from '../../admit/event-debts.ts';

interface RequestLimits {
  readonly rate: AddressRate | null;
  readonly debt: EventDebt | null;
  readonly clock: Clock;
  readonly stopping: AbortSignal;
}

/**
 * Resolves when its address may bring more, when its sender is gone, or when we stop: then what was sent is still read.
 */
export async function requestMayGoOn(
  request: IncomingMessage,
  { rate, debt, clock, stopping }: RequestLimits,
): Promise<void> {
  const waitMs = (): number => Math.max(rate?.waitMs ?? 0, debt?.waitMs ?? 0);
  if (waitMs() === 0) return;
  const over = new AbortController();
  const end = (): void => over.abort();
  request.once('close', end);
  stopping.addEventListener('abort', end, { once: true });
  if (request.destroyed || stopping.aborted) end();
  while (!over.signal.aborted && waitMs() > 0) await passed(clock, waitMs(), over.signal);
  request.off('close', end);
  stopping.removeEventListener('abort', end);
}
