// The parts of the forwarder that do not depend on how events reach it: the intake that the settings describe, and the
// HTTP inputs on it. A process that listens (main.ts) and a function that is called (services/lambda/forwarder.ts) are
// both shells around it.

import { ByteBudget } from '#shared/byte-budget.ts';
import type { Clock } from '#shared/clock.ts';
import type { Config } from '#shared/config/settings.ts';
import type { Queue } from '#shared/queue/queue.ts';
import type { HttpServerOptions } from './accept/http/http-server.ts';
import { BODY_COPIES } from './accept/body/body-decompressor.ts';
import type { Admission } from './admit/admission.ts';
import type { TlsContext } from './admit/tls.ts';
import { httpDialects } from './http-dialects.ts';
import { QueueIntake } from './intake/intake.ts';
import type { ForwarderTelemetry } from './intake/telemetry.ts';

export interface Edge {
  readonly config: Config;
  readonly clock: Clock;
  readonly telemetry: ForwarderTelemetry;
  readonly intake: QueueIntake;
  /** Memory of large bodies in work, and of large entries of Forward: of all inputs of the process together. */
  readonly large: ByteBudget;
  readonly admission: Admission;
  /** Null: requests come in the clear. */
  readonly tls: TlsContext | null;
}

export function openIntake(
  queue: Queue,
  { config, clock, telemetry, admission }: Omit<Edge, 'intake' | 'large' | 'tls'>,
): QueueIntake {
  return new QueueIntake({
    queue,
    clock,
    telemetry,
    bytesMax: config['intake.max_bytes'],
    lingerMs: config['gather.linger_ms'],
    sealBytes: config['gather.record_bytes'],
    openWaitMs: config['kafka.produce_timeout_ms'],
    tenants: admission.tenants,
  });
}

/**
 * One for a process: for the largest body with what is made of it. A large body has its part of it from before it is
 * opened or converted until it is converted, so that of the largest one is in work at a time. What was made is waited
 * for afterwards (body-decompressor.ts). Forward has more of its own; see forward-memory.ts.
 */
export function largeBudget(config: Config): ByteBudget {
  return new ByteBudget(BODY_COPIES * config['frame.max_bytes']);
}

export function httpOptions({ config, admission, ...edge }: Edge): Omit<HttpServerOptions, 'tokens' | 'logins'> {
  return {
    ...edge,
    bodyBytesMax: config['frame.max_bytes'],
    principalOf: (peer, grant) => admission.principalOf(peer, grant),
    roomOf: (tenant) => edge.intake.roomOf(tenant, 'http'),
    room: edge.intake.roomFor('http'),
    corsOrigins: config['http.cors_origins'] ?? [],
    dialects: httpDialects,
  };
}
