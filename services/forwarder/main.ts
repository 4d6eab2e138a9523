// The forwarder: inputs in front, intake behind them, the queue behind that, with a spool before it where it is Kafka.

import type { Clock } from '#shared/clock.ts';
import type { Config } from '#shared/config/settings.ts';
import type { Log } from '#shared/log.ts';
import type { Metrics } from '#shared/metrics.ts';
import type { Queue } from '#shared/queue/queue.ts';
import type { Spool } from '#shared/queue/spooled/open-spool.ts';
import { startForwardServer } from './accept/forward-server.ts';
import { startHttpServer } from './accept/http-server.ts';
import { openTokenFile } from './admit/token-file.ts';
import { tlsOfFiles } from './accept/tls-files.ts';
import { QueueIntake } from './intake.ts';
import { ANYONE } from './principal.ts';
import { observeSpool } from './spool-telemetry.ts';
import { ForwarderTelemetry } from './telemetry.ts';
import { type UnackedInputs, startUnackedInputs } from './unacked-inputs.ts';

export interface ForwarderOptions {
  readonly config: Config;
  readonly queue: Queue;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly clock: Clock;
}

export interface Forwarder extends AsyncDisposable {
  /** As bound. */
  readonly addresses: { readonly forward: string; readonly http: string } & UnackedInputs['addresses'];
  readonly unreadyReason: string | null;
}

/** Rejects with listen_failed, or data_dir_unusable for the spool. Its end: no new connections, what was read is held or refused, every sender has its answer. */
export async function startForwarder({ config, queue, metrics, log, clock }: ForwarderOptions): Promise<Forwarder> {
  const telemetry = new ForwarderTelemetry(metrics, log);
  await using starting = new AsyncDisposableStack();
  const spool = starting.use(await spoolBefore(queue, { config, metrics, log, clock, telemetry }));
  const intake = new QueueIntake({
    queue: spool?.queue ?? queue,
    clock,
    telemetry,
    bytesMax: config['intake.max_bytes'],
    lingerMs: config['gather.linger_ms'],
    sealBytes: config['gather.record_bytes'],
    openWaitMs: config['kafka.produce_timeout_ms'],
  });
  starting.defer(() => intake.close());
  const frameBytesMax = config['frame.max_bytes'];
  const forward = await startForwardServer(config['forward.listen'], { intake, telemetry, frameBytesMax, clock });
  starting.defer(() => forward.close());
  const tokenFile = config['http.tokens'];
  const tokens = tokenFile === undefined ? null : starting.use(openTokenFile(tokenFile, { clock, telemetry }));
  const http = await startHttpServer(config['http.listen'], {
    intake,
    telemetry,
    bodyBytesMax: frameBytesMax,
    tokens,
    corsOrigins: config['http.cors_origins'] ?? [],
  });
  const edge = { config, intake, telemetry, clock };
  const unacked = await startUnackedInputs({ ...edge, admit: () => ANYONE, tls: tlsOfFiles(config) });
  const started = starting.move();
  telemetry.listening('forward', forward.address);
  telemetry.listening('http', http.address);
  return {
    addresses: { forward: forward.address, http: http.address, ...unacked.addresses },
    get unreadyReason() {
      return intake.unreadyReason;
    },
    async [Symbol.asyncDispose]() {
      await unacked.close();
      const inputs = Promise.all([http.close(), started.disposeAsync()]);
      await intake.close();
      await inputs;
      telemetry.stopped();
    },
  };
}

/** Null where the queue is on this disk itself, or the spool is switched off. */
async function spoolBefore(
  upstream: Queue,
  { config, metrics, log, clock, telemetry }: Omit<ForwarderOptions, 'queue'> & { telemetry: ForwarderTelemetry },
): Promise<Spool | null> {
  if (upstream.kind !== 'kafka' || !config.spool) return null;
  const { openSpool } = await import('#shared/queue/spooled/open-spool.ts');
  return openSpool({
    config,
    upstream,
    clock,
    random: Math.random,
    observe: (figures) => observeSpool({ telemetry, metrics, log, clock, figures }),
    warn: (message) => log.warn('spool_warning', { message }),
  });
}
