// A door for tests: whoever comes is let in, unless a test says otherwise.

import { ConnectionLimit, ConnectionTotal } from '#forwarder/admit/connection-limit.ts';
import { Door, type DoorOptions } from '#forwarder/admit/door.ts';

export interface DoorChanges extends Partial<
  Pick<DoorOptions, 'input' | 'admits' | 'telemetry' | 'pace' | 'rates' | 'debts'>
> {
  readonly max?: number;
  readonly perAddressMax?: number;
  readonly allMax?: number;
}

const SILENT = { authFailed() {}, connectionEnded() {} };

export function openDoor({ max = 100_000, perAddressMax = max, allMax = max, ...changes }: DoorChanges = {}): Door {
  const limit = new ConnectionLimit({ max, perAddressMax, all: new ConnectionTotal(allMax) });
  return new Door({
    input: 'forward',
    admits: () => true,
    telemetry: SILENT,
    pace: null,
    rates: null,
    ...changes,
    limit,
  });
}
