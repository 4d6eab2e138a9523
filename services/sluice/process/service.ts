// What the long-running commands have in common: a log, a registry, the queue, the admin page, and a stop in the
// reverse order of the start, within `shutdown.timeout_ms`.

import type { AdminAction } from '#shared/net/admin-routes.ts';
import type { AdminServer } from '#shared/net/admin-server.ts';
import type { Clock } from '#shared/clock.ts';
import { plainSecrets } from '#shared/config/plain-secrets.ts';
import type { Config } from '#shared/config/settings.ts';
import { type Log, createLog, terminalLines } from '#shared/log.ts';
import { Metrics } from '#shared/metrics.ts';
import { openQueue } from '#shared/open/open-queue.ts';
import { observeInLog } from '#shared/queue/queue-observer.ts';
import type { Queue } from '#shared/queue/queue.ts';
import { startAdminPage } from '../admin/page.ts';
import { collectStartupGarbage, markAtOnce } from './collector.ts';
import type { CommandContext } from './command.ts';
import { turnHistogram, watchService } from './telemetry.ts';
import { observeTurns } from './turns.ts';
import { VERSION } from './version.ts';
import type { WorkerLine } from './worker-line.ts';

export interface Service {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly queue: Queue;
  /** What is closed at the end, last first. */
  readonly lifetime: AsyncDisposableStack;
  /** Where this process is one of several. */
  readonly worker: WorkerLine | undefined;
}

/** A part of the service that can be not ready. */
export interface Part {
  readonly unreadyReason: string | null;
}

/**
 * Runs `body` with the queue open; ends when the command's signal is aborted or `body` resolves (to the exit code).
 * What `body` has put on the lifetime is then closed, in reverse, before the queue.
 */
export async function runService(
  name: string,
  context: CommandContext,
  body: (service: Service) => Promise<number>,
): Promise<number> {
  const { config, clock, signal, worker } = context;
  const log = await openLog(context);
  // Of several workers the primary says it.
  if (!worker) warnOfPlainSecrets(config, log);
  const metrics = new Metrics({ version: VERSION, command: name });
  const lifetime = new AsyncDisposableStack();
  markAtOnce();
  collectStartupGarbage(clock, signal);
  const limit = new AbortController();
  signal.addEventListener('abort', () => {
    log.info('stopping', { signal: String(signal.reason), limit_ms: config['shutdown.timeout_ms'] });
    // The limit holds whatever hangs: what is not finished then was neither acked nor committed.
    clock.timer(config['shutdown.timeout_ms'], () => limit.abort());
  });
  const overdue = new Promise<'overdue'>((resolve) => limit.signal.addEventListener('abort', () => resolve('overdue')));
  const work = (async () => {
    await using _end = lifetime;
    const queue = lifetime.use(
      await openQueue(config, {
        clock,
        observer: observeInLog(log),
        debug: (message) => log.debug('queue_client', { message }),
      }),
    );
    watchService(metrics, config, queue);
    observeTurns(turnHistogram(metrics), signal);
    return await body({ config, clock, log, metrics, queue, lifetime, worker });
  })();
  try {
    const outcome = await Promise.race([work, overdue]);
    if (outcome !== 'overdue') return outcome;
  } finally {
    // What a worker has counted up to its end must not be missing from the sums.
    await worker?.end();
  }
  log.error('stop_overdue', {
    limit_ms: config['shutdown.timeout_ms'],
    effect: 'what is left was not acked or not committed; it comes again',
  });
  return 1;
}

export function warnOfPlainSecrets(config: Config, log: Log): void {
  for (const what of plainSecrets(config)) log.warn('secret_unencrypted', { what });
}

/** The own log: JSON lines, or for a terminal lines for people. */
export async function openLog({ config, clock, stderr, worker }: CommandContext): Promise<Log> {
  return createLog(config['log.level'], clock, {
    base: worker ? { worker: worker.seat } : null,
    ...(stderr.isTTY === true ? { lines: await terminalLines() } : {}),
  });
}

/**
 * Tells readiness of all parts and the metrics: on the admin page, or where this is a worker, to the primary, which has
 * the page.
 */
export async function answerOperators(service: Service, parts: readonly Part[]): Promise<void> {
  const { worker, metrics } = service;
  if (!worker) {
    await startAdmin(service, parts);
    return;
  }
  worker.begin(async () => ({ families: await metrics.families(), unready: unreadyReasons(parts) }));
}

/**
 * Starts the admin page, which tells readiness of all parts together, and does what it is asked. It ends with the
 * service.
 */
export async function startAdmin(
  { lifetime, ...service }: Service,
  parts: readonly Part[],
  actions: readonly AdminAction[] = [],
): Promise<AdminServer> {
  const admin = await startAdminPage(service, {
    metrics: (accept) => service.metrics.render(accept),
    unreadyReasons: () => unreadyReasons(parts),
    actions,
  });
  lifetime.defer(() => admin.close());
  return admin;
}

function unreadyReasons(parts: readonly Part[]): string[] {
  return parts.map((part) => part.unreadyReason).filter((reason) => reason !== null);
}

/** Resolves when the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
