// What the long-running commands share: a log, a registry, the queue, the admin page, and a stop in the reverse order
// of the start, within `shutdown.timeout_ms`:
//
//   admin page → forwarder (forwarder/main.ts) and indexer (indexer/shells/main.ts) → store → queue

import type { KubernetesApi } from '#forwarder/collect/pods/api-answer.ts';
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
import { collectStartupGarbage } from './collector.ts';
import type { CommandContext } from './command.ts';
import { giveBackFreedMemory } from './freed-memory.ts';
import { markBySize } from './heap-marking.ts';
import { turnHistogram, watchService } from './telemetry.ts';
import { observeTurns } from './loop-turns.ts';
import { markAtOnce } from './v8-flags.ts';
import { VERSION } from './version.ts';
import type { WorkerChannel } from './worker-channel.ts';

export interface Service {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly queue: Queue;
  /** What is closed at the end, last first. */
  readonly lifetime: AsyncDisposableStack;
  /** Where this process is one of several. */
  readonly worker: WorkerChannel | undefined;
  readonly kubernetes: KubernetesApi | null;
}

/** A component of the service that can be not ready. */
export interface Component {
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
  const { config, clock, signal, worker, kubernetes = null } = context;
  const log = await openLog(context);
  // For several workers the primary logs it.
  if (!worker) warnOfSecrets(context, log);
  const metrics = new Metrics({ version: VERSION, command: name });
  const lifetime = new AsyncDisposableStack();
  markAtOnce();
  markBySize(signal);
  collectStartupGarbage(clock, signal);
  giveBackFreedMemory(clock, signal);
  const limit = new AbortController();
  signal.addEventListener('abort', () => {
    log.info('stopping', { signal: String(signal.reason), limit_ms: config['shutdown.timeout_ms'] });
    // The limit ends whatever hangs: what is not finished by then was neither acked nor committed.
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
    return await body({ config, clock, log, metrics, queue, lifetime, worker, kubernetes });
  })();
  try {
    const outcome = await Promise.race([work, overdue]);
    if (outcome !== 'overdue') return outcome;
  } finally {
    // The sums must include what a worker counts until its end.
    await worker?.end();
  }
  log.error('stop_overdue', {
    limit_ms: config['shutdown.timeout_ms'],
    effect: 'what is left was not acked or not committed; it comes again',
  });
  return 1;
}

export function warnOfSecrets({ config, exposedSecrets = [] }: CommandContext, log: Log): void {
  for (const what of plainSecrets(config)) log.warn('secret_unencrypted', { what });
  for (const what of exposedSecrets) log.warn('secret_file_exposed', { what });
}

/** Sluice's own log: JSON lines, or lines for people on a terminal. */
export async function openLog({ config, clock, stderr, worker }: CommandContext): Promise<Log> {
  return createLog(config['log.level'], clock, {
    base: worker ? { worker: worker.slot } : null,
    ...(stderr.isTTY === true ? { lines: await terminalLines() } : {}),
  });
}

/**
 * Shows readiness of all components and the metrics: on the admin page, or where this is a worker, to the primary,
 * which has the page.
 */
export async function answerOperators(service: Service, components: readonly Component[]): Promise<void> {
  const { worker, metrics } = service;
  if (!worker) {
    await startAdmin(service, components);
    return;
  }
  worker.start(async () => ({ families: await metrics.families(), unready: unreadyReasons(components) }));
}

/**
 * Starts the admin page, which shows the readiness of all components together, and does the actions. It ends with the
 * service.
 */
export async function startAdmin(
  { lifetime, ...service }: Service,
  components: readonly Component[],
  actions: readonly AdminAction[] = [],
): Promise<AdminServer> {
  const admin = await startAdminPage(service, {
    metrics: (accept) => service.metrics.render(accept),
    unreadyReasons: () => unreadyReasons(components),
    actions,
  });
  lifetime.defer(() => admin.close());
  return admin;
}

function unreadyReasons(components: readonly Component[]): string[] {
  return components.map((component) => component.unreadyReason).filter((reason) => reason !== null);
}
