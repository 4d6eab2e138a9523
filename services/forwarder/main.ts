// The forwarder: inputs in front, intake behind them, the queue behind that.

import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Clock } from '#shared/clock.ts';
import type { Config } from '#shared/config/settings.ts';
import type { Log } from '#shared/log.ts';
import type { Metrics } from '#shared/metrics.ts';
import type { Queue } from '#shared/queue/queue.ts';
import { type ForwardServerOptions, startForwardServer } from './accept/forward-server.ts';
import { startHttpServer } from './accept/http-server.ts';
import { ReadingGate } from './accept/reading-gate.ts';
import { type Admission, loadAdmission } from './admit/admission.ts';
import { admittedExposures } from './admit/exposure.ts';
import { peerOf, type TlsContext, tlsContext } from './admit/tls.ts';
import { QueueIntake } from './intake.ts';
import { ForwarderTelemetry } from './telemetry.ts';

export interface ForwarderOptions {
  readonly config: Config;
  readonly queue: Queue;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly clock: Clock;
}

export interface Forwarder extends AsyncDisposable {
  /** As bound. */
  readonly addresses: { readonly forward: string; readonly http: string };
  readonly unreadyReason: string | null;
}

/** Rejects with listen_failed. Its end: no new connections, what was read is held or refused, every sender has its answer. */
export async function startForwarder({ config, queue, metrics, log, clock }: ForwarderOptions): Promise<Forwarder> {
  const telemetry = new ForwarderTelemetry(metrics, log);
  const admission = loadAdmission(config, (path) => readFileSync(path, 'utf8'));
  const exposed = admittedExposures(config, ['forward', 'http']);
  const intake = new QueueIntake({
    queue,
    clock,
    telemetry,
    bytesMax: config['intake.max_bytes'],
    lingerMs: config['gather.linger_ms'],
    sealBytes: config['gather.record_bytes'],
    openWaitMs: config['kafka.produce_timeout_ms'],
    tenants: admission.tenants,
  });
  await using starting = new AsyncDisposableStack();
  const tls = tlsContext(config, { clock, telemetry });
  if (tls) {
    starting.use(tls);
    telemetry.watchCertificate(
      () => tls.expiresMs,
      () => clock.epochMs(),
    );
  }
  const edge = { config, clock, telemetry, intake, admission, tls };
  const forward = await startForwardServer(config['forward.listen'], forwardOptions(edge));
  starting.defer(() => forward.close());
  const http = await startHttpServer(config['http.listen'], {
    ...edge,
    bodyBytesMax: config['frame.max_bytes'],
    admits: (address) => admission.admits(address),
    principalOf: ({ socket }) => admission.principalOf(peerOf(socket), null),
    roomOf: (tenant) => intake.roomOf(tenant),
  });
  const started = starting.move();
  telemetry.listening('forward', forward.address);
  telemetry.listening('http', http.address);
  for (const { input, address } of exposed) telemetry.exposed(input, address);
  return {
    addresses: { forward: forward.address, http: http.address },
    get unreadyReason() {
      return intake.unreadyReason;
    },
    async [Symbol.asyncDispose]() {
      const inputs = Promise.all([http.close(), started.disposeAsync()]);
      await intake.close();
      await inputs;
      telemetry.stopped();
    },
  };
}

interface Edge {
  readonly config: Config;
  readonly clock: Clock;
  readonly telemetry: ForwarderTelemetry;
  readonly intake: QueueIntake;
  readonly admission: Admission;
  readonly tls: TlsContext | null;
}

function forwardOptions({ config, intake, ...edge }: Edge): ForwardServerOptions {
  const { clock, telemetry } = edge;
  // As much again as may be in hand, for what has not come whole; one frame must fit.
  const gate = new ReadingGate(Math.max(config['intake.max_bytes'], config['frame.max_bytes']), clock);
  telemetry.watchConnections(() => gate.bytesHeld);
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
      frameTimeoutMs: config['forward.frame_timeout_ms'],
      idleTimeoutMs: config['forward.idle_timeout_ms'],
    },
  };
}
