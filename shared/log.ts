// The own log of Sluice: JSON lines on stderr, one per named event, by pino. Never a payload.
// Repeats of an event within a few seconds are counted and told once, so that a fault can't flood the log that tells of it.

import { destination, pino } from 'pino';
import type { Clock } from '#shared/clock.ts';

type LogFields = Record<string, string | number | boolean | null>;
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

/** The least time between two lines of one warning or error. */
const REPEAT_INTERVAL_MS = 5000;

export function createLog(level: LogLevel, clock: Clock): Log {
  const logger = pino(
    {
      level,
      base: null,
      messageKey: 'event',
      formatters: { level: (label) => ({ level: label }) },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    destination({ fd: 2, sync: true }),
  );
  const lastTold = new Map<string, { atMs: number; repeats: number }>();

  const tell = (severity: 'warn' | 'error', event: string, fields: LogFields): void => {
    const key = `${severity} ${event}`;
    const now = clock.monotonicMs();
    const last = lastTold.get(key);
    if (last && now - last.atMs < REPEAT_INTERVAL_MS) {
      last.repeats++;
      return;
    }
    lastTold.set(key, { atMs: now, repeats: 0 });
    logger[severity](last?.repeats ? { ...fields, repeats: last.repeats } : fields, event);
  };

  return {
    debug: (event, fields = {}) => logger.debug(fields, event),
    info: (event, fields = {}) => logger.info(fields, event),
    warn: (event, fields = {}) => tell('warn', event, fields),
    error: (event, fields = {}) => tell('error', event, fields),
  };
}
