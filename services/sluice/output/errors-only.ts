// The errors that a service would log, for the person who watches a command; everything else is dropped.

import type { Log } from '#shared/log.ts';

export function errorsOnly(warn: (line: string) => void): Log {
  const nothing = (): void => undefined;
  return {
    debug: nothing,
    info: nothing,
    warn: nothing,
    error: (event, fields) => warn(`${event}: ${String(fields?.['what'] ?? '')}`),
  };
}
