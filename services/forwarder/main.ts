// The forwarder: inputs in front, intake behind them, the queue behind that, with a spool before it where it is Kafka.

import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '#shared/clock.ts';
import type { Config } from '#shared/config/settings.ts';
import type { Log } from '#shared/log.ts';
import type { Metrics } from '#shared/metrics.ts';
import type { Queue } from '#shared/queue/queue.ts';
import type { Spool } from '#shared/queue/spooled/open-spool.ts';
import { type ForwardServerOptions, startForwardServer } from './accept/forward-server.ts';
import { FrameFiles } from './accept/frame-files.ts';
import { startHttpServer } from './accept/http-server.ts';
import { ReadingGate } from './accept/reading-gate.ts';
import { type Admission, loadAdmission } from './admit/admission.ts';
import { admittedExposures } from './admit/exposure.ts';
import { peerOf, tlsContext } from './admit/tls.ts';
import { openTokenFile } from './admit/token-file.ts';
import { type Edge, httpOptions, openIntake } from './edge.ts';
import type { Principal } from './principal.ts';
import { observeSpool } from './spool-telemetry.ts';
import { ForwarderTelemetry } from './telemetry.ts';
import { type UnackedInputs, startUnackedInputs } from './unacked-inputs.ts';

export interface ForwarderOptions {
  readonly config: Config;
  readonly queue: Queue;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly clock: Clock;
  /** Whether to take what syslog and GELF send by UDP, where they are configured; absent: yes. */
  readonly datagrams?: boolean;
}

export interface Forwarder extends AsyncDisposable {
  /** As bound. */
  readonly addresses: { readonly forward: string; readonly http: string } & UnackedInputs['addresses'];
  readonly unreadyReason: string | null;
}

/**
 * Rejects with config_invalid, listen_failed, or data_dir_unusable for the spool. Its end: no new connections, what was read is held
 * or refused, every sender has its answer.
 */
export async function startForwarder(options: ForwarderOptions): Promise<Forwarder> {
  const { config, queue, metrics, log, clock, datagrams = true } = options;
  const telemetry = new ForwarderTelemetry(metrics, log);
  const admission = loadAdmission(config, (path) => readFileSync(path, 'utf8'));
  const exposed = admittedExposures(config, ['forward', 'http', 'syslog', 'gelf']);
  await using starting = new AsyncDisposableStack();
  const spool = starting.use(await spoolBefore(queue, { config, metrics, log, clock, telemetry }));
  const intake = openIntake(spool?.queue ?? queue, { config, clock, telemetry, admission });
  starting.defer(() => intake.close());
  const tls = tlsContext(config, { clock, telemetry });
  if (tls) {
    starting.use(tls);
    for (const listener of ['forward', 'http'] as const) telemetry.watchCertificate(listener, () => tls.expiresMs);
    if (config['syslog.tls_listen'] !== undefined) telemetry.watchCertificate('syslog', () => tls.expiresMs);
  }
  const edge = { config, clock, telemetry, intake, admission, tls };
  // Each ends with its senders' answers, which intake gives: so all of them end at once, and intake after them.
  const inputs = new Inputs();
  starting.use(inputs);
  const forward = inputs.add(await startForwardServer(config['forward.listen'], forwardOptions(edge)));
  const tokenFile = config['http.tokens'];
  const { tenants } = admission;
  const tokens = tokenFile === undefined ? null : starting.use(openTokenFile(tokenFile, { tenants, clock, telemetry }));
  const http = inputs.add(await startHttpServer(config['http.listen'], { ...httpOptions(edge), tokens }));
  const unacked = inputs.add(await startUnackedInputs({ ...edge, datagrams, admit: admitting(admission) }));
  const started = starting.move();
  telemetry.listening('forward', forward.address);
  telemetry.listening('http', http.address);
  for (const { input, address } of exposed) telemetry.exposed(input, address);
  return {
    addresses: { forward: forward.address, http: http.address, ...unacked.addresses },
    get unreadyReason() {
      return intake.unreadyReason;
    },
    async [Symbol.asyncDispose]() {
      // What the senders without acks have sent already is still taken.
      await unacked.close();
      const settled = intake.close();
      await started.disposeAsync();
      await settled;
      telemetry.stopped();
    },
  };
}

/** Inputs that end together. */
class Inputs implements AsyncDisposable {
  readonly #inputs: { close(): Promise<void> }[] = [];

  add<I extends { close(): Promise<void> }>(input: I): I {
    this.#inputs.push(input);
    return input;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#inputs.map((input) => input.close()));
  }
}

function forwardOptions({ config, intake, ...edge }: Edge): ForwardServerOptions {
  const { clock, telemetry } = edge;
  // As much again as may be in hand, for what has not come whole; one frame must fit.
  const gate = new ReadingGate(Math.max(config['intake.max_bytes'], config['frame.max_bytes']), clock);
  telemetry.watchConnections(() => gate.bytesHeld);
  const files = new FrameFiles({
    folder: join(config['data.dir'], 'incoming'),
    bytesMax: config['frame.file_max_bytes'],
    heldBytesMax: config['frame.max_bytes'],
  });
  telemetry.watchFrameFiles(() => files.bytes);
  const mode = config['forward.socket_mode'];
  return {
    ...edge,
    serverName: `sluice-${hostname()}`,
    connectionsMax: config['forward.max_connections'],
    connectionsPerAddressMax: config['forward.max_connections_per_address'],
    handshakeTimeoutMs: config['forward.handshake_timeout_ms'],
    socketMode: mode === undefined ? undefined : Number.parseInt(mode, 8),
    session: {
      intake,
      telemetry,
      clock,
      gate,
      roomOf: (tenant) => intake.roomOf(tenant),
      frameBytesMax: config['frame.max_bytes'],
      files,
      ratioMax: config['frame.max_ratio'],
      frameTimeoutMs: config['forward.frame_timeout_ms'],
      idleTimeoutMs: config['forward.idle_timeout_ms'],
    },
  };
}

/** For senders that show no more than where they are, and a certificate where they speak TLS. */
function admitting(admission: Admission): (address: string, socket: Socket | null) => Principal | null {
  return (address, socket) => {
    if (!admission.admits(address)) return null;
    return admission.principalOf(socket ? peerOf(socket) : { address, certificateNames: [] }, null);
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
