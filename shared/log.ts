// The own log of Sluice: JSON lines on stderr, one per named event, by pino. Never a payload. For people at a terminal
// the same lines are made readable. Repeats of an event within a few seconds are counted and logged once, so that a
// fault can't flood the log. Names that senders chose (tags, hosts) are harmless to the terminal on which they are
// read.

import { type DestinationStream, destination, pino } from 'pino';
import type { Clock } from './clock.ts';
import { harmless } from './harmless.ts';

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
/** What these name is of closed sets; one must not hide behind another. */
const TOLD_APART = ['reason', 'topic', 'setting', 'group', 'partition'] as const;
const STDERR = 2;

/** Where lines go that people read as they come. */
export async function terminalLines(): Promise<DestinationStream> {
  const { default: pretty } = await import('pino-pretty');
  return pretty({
    messageKey: 'event',
    translateTime: 'SYS:HH:MM:ss.l',
    singleLine: true,
    destination: STDERR,
    sync: true,
  });
}

/** `lines`: JSON on stderr unless something else is given. `base`: what every line has. */
export function createLog(
  level: LogLevel,
  clock: Clock,
  {
    lines = destination({ fd: STDERR, sync: true }),
    base = null,
  }: { lines?: DestinationStream; base?: LogFields | null } = {},
): Log {
  const logger = pino(
    {
      level,
      base,
      messageKey: 'event',
      formatters: { level: (label) => ({ level: label }) },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    lines,
  );
  const lastTold = new Map<string, { atMs: number; repeats: number }>();

  const tell = (severity: 'warn' | 'error', event: string, fields: LogFields): void => {
    // Who has counted has folded the repeats already (access-log.ts).
    if (fields['count'] !== undefined) {
      logger[severity](safe(fields), event);
      return;
    }
    const key = `${severity} ${event} ${TOLD_APART.map((name) => fields[name] ?? '').join(' ')}`;
    const now = clock.monotonicMs();
    const last = lastTold.get(key);
    if (last && now - last.atMs < REPEAT_INTERVAL_MS) {
      last.repeats++;
      return;
    }
    lastTold.set(key, { atMs: now, repeats: 0 });
    logger[severity](safe(last?.repeats ? { ...fields, repeats: last.repeats } : fields), event);
  };

  return {
    // Of names, there may be many, and no text is made that nobody wants.
    debug: (event, fields = {}) => {
      if (logger.isLevelEnabled('debug')) logger.debug(safe(fields), event);
    },
    info: (event, fields = {}) => logger.info(safe(fields), event),
    warn: (event, fields = {}) => tell('warn', event, fields),
    error: (event, fields = {}) => tell('error', event, fields),
  };
}

/** JSON leaves C1 controls and marks of direction as they are. */
function safe(fields: LogFields): LogFields {
  const entries = Object.entries(fields);
  if (!entries.some(([, value]) => typeof value === 'string' && harmless(value) !== value)) return fields;
  return Object.fromEntries(
    entries.map(([name, value]) => [name, typeof value === 'string' ? harmless(value) : value]),
  );
}
