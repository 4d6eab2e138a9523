// The forwarder: inputs in front, intake behind them, then the queue; before Kafka there is a spool.

import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '#shared/clock.ts';
import type { Config } from '#shared/config/settings.ts';
import { reasonOf } from '#shared/errors.ts';
import type { Log } from '#shared/log.ts';
import type { Metrics } from '#shared/metrics.ts';
import type { Queue } from '#shared/queue/queue.ts';
import { watchDeadLetters } from '#shared/queue/dead-letter-metrics.ts';
import type { Spool } from '#shared/queue/spooled/open-spool.ts';
import { forwardMemory } from './accept/forward/forward-memory.ts';
import { type ForwardServerOptions, startForwardServer } from './accept/forward/forward-server.ts';
import { FrameFiles } from './accept/frames/frame-files.ts';
import { startHttpServer } from './accept/http/http-server.ts';
import { UnackedNames } from './accept/forward/equal-chunks.ts';
import { ReadingGate } from './accept/gate/reading-gate.ts';
import { FairSlots } from './accept/turns/fair-slots.ts';
import { forwardTurn } from './accept/forward/frame-turns.ts';
import { type Admission, type Admit, loadAdmission } from './admit/admission.ts';
import { collectedFilesWithin, frameFilesWithin, openFilesMax } from './admit/connection-limit.ts';
import { INPUT_LISTENERS, admittedExposures } from './admit/exposure.ts';
import { type TlsContext, tlsContext } from './admit/tls.ts';
import { openTokenFile } from './admit/token-file.ts';
import type { Listener } from './intake/chunk.ts';
import { type Guards, guardsOf } from './guards.ts';
import { Collecting } from './collect/collecting.ts';
import type { KubernetesApi } from './collect/pods/api-answer.ts';
import { PodTelemetry } from './collect/pods/telemetry.ts';
import type { PodWatch } from './collect/pods/pod-watch.ts';
import { dockerRule } from './collect/sources/docker-logs.ts';
import { podRule } from './collect/sources/pod-logs.ts';
import type { SourceRule } from './collect/sources/source-form.ts';
import { FileTelemetry } from './collect/files/telemetry.ts';
import { type JournalFigures, JournalTelemetry } from './collect/journal/telemetry.ts';
import { type Edge, httpOptions, openIntake, largeBudget } from './build-intake.ts';
import { observeSpool } from './intake/spool-telemetry.ts';
import { ForwarderTelemetry } from './intake/telemetry.ts';
import { type UnackedInputs, startUnackedInputs } from './unacked-inputs.ts';

/** An entry of a frame in slices may have so much, and what a document may have. */
const ENTRY_BYTES = 16 * 1024 * 1024;

export interface ForwarderOptions {
  readonly config: Config;
  readonly queue: Queue;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly clock: Clock;
  /** Whether to take what syslog and GELF send by UDP, where they are configured; absent: yes. */
  readonly datagrams?: boolean;
  /** Whether to collect what this machine has, where that is configured; absent: yes. */
  readonly collects?: boolean;
  /** Where the Kubernetes API is, and what it calls this node; absent or null: this is no pod. */
  readonly kubernetes?: KubernetesApi | null | undefined;
}

export interface Forwarder extends AsyncDisposable {
  /** As bound. */
  readonly addresses: { readonly forward: string; readonly http: string } & UnackedInputs['addresses'];
  readonly unreadyReason: string | null;
}

/**
 * Rejects with config_invalid, listen_failed, or data_dir_unusable for the spool. Its end: no new connections, what was
 * read is held or refused, every sender has its answer.
 */
export async function startForwarder(options: ForwarderOptions): Promise<Forwarder> {
  const { config, queue, metrics, log, clock, datagrams: takesDatagrams = true, collects = true } = options;
  const telemetry = new ForwarderTelemetry(metrics, log, clock);
  const admission = loadAdmission(config, (path) => readFileSync(path, 'utf8'));
  const exposed = admittedExposures(config, INPUT_LISTENERS);
  await using starting = new AsyncDisposableStack();
  const spool = starting.use(await spoolBefore(queue, { config, metrics, log, clock, telemetry }));
  const intake = openIntake(spool?.queue ?? queue, { config, clock, telemetry, admission });
  starting.defer(() => intake.close());
  const tls = tlsContext(config, { clock, telemetry });
  if (tls) watchCertificates(starting.use(tls), config, telemetry);
  const edge = { config, clock, telemetry, intake, large: largeBudget(config), admission, tls };
  // Each ends with its senders' answers, which intake gives: so all of them end at once, and intake after them.
  const inputs = new Inputs();
  const guards = guardsOf(edge);
  const { doors, logins, datagramRates } = guards;
  starting.use(inputs);
  const forward = inputs.add(await startForwardServer(config['forward.listen'], forwardOptions(edge, guards)));
  const tokenFile = config['http.tokens'];
  const { tenants } = admission;
  const tokens = tokenFile === undefined ? null : starting.use(openTokenFile(tokenFile, { tenants, clock, telemetry }));
  const http = inputs.add(
    await startHttpServer(config['http.listen'], { ...httpOptions(edge), tokens, logins, door: doors.http }),
  );
  const admit = admitting(admission);
  const unacked = inputs.add(
    await startUnackedInputs({
      ...edge,
      room: intake.roomFor('unacked'),
      doors,
      datagrams: takesDatagrams,
      datagramRates,
      admit,
    }),
  );
  const files = collects ? await collectFiles(edge, options) : null;
  if (files !== null) inputs.add(files);
  const started = starting.move();
  telemetry.listening('forward', forward.address);
  telemetry.listening('http', http.address);
  for (const { input, address } of exposed) telemetry.exposed(input, address);
  return {
    addresses: { forward: forward.address, http: http.address, ...unacked.addresses },
    get unreadyReason() {
      return intake.unreadyReason ?? files?.unreadyReason ?? null;
    },
    async [Symbol.asyncDispose]() {
      // All take no more from here on, none after the other. What the senders without acks have sent already is taken
      // still; then those that get answers hear that they have to come again.
      inputs[Symbol.asyncDispose]().catch(() => undefined);
      await unacked.close();
      const settled = intake.close();
      await started.disposeAsync();
      await settled;
      telemetry.stopped();
    },
  };
}

function watchCertificates(tls: TlsContext, config: Config, telemetry: ForwarderTelemetry): void {
  const listeners: Listener[] = ['forward', 'http'];
  if (config['syslog.tls_listen'] !== undefined) listeners.push('syslog');
  for (const listener of listeners) telemetry.watchCertificate(listener, () => tls.expiresMs);
}

/** Inputs that end together, once. */
class Inputs implements AsyncDisposable {
  readonly #inputs: { close(): Promise<void> }[] = [];
  #ended: Promise<unknown> | null = null;

  add<I extends { close(): Promise<void> }>(input: I): I {
    this.#inputs.push(input);
    return input;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended ??= Promise.all(this.#inputs.map((input) => input.close()));
    await this.#ended;
  }
}

function forwardOptions(
  { config, intake, large, ...edge }: Edge,
  { doors, pace, logins, datagramRates }: Guards,
): ForwardServerOptions {
  const { clock, telemetry } = edge;
  // As much again as may be in hand, for what has not come whole; one frame must fit.
  const gateBytes = Math.max(config['intake.max_bytes'], config['frame.max_bytes']);
  const room = intake.roomFor('forward');
  const gate = new ReadingGate(gateBytes, clock, () => room.hasRoom && pace.mayRead);
  telemetry.watchConnections(() => gate.bytesHeld);
  const files = new FrameFiles({
    folder: join(config['data.dir'], 'incoming'),
    bytesMax: config['frame.file_max_bytes'],
    heldBytesMax: config['frame.max_bytes'],
    filesMax: frameFilesWithin(openFilesMax()),
  });
  telemetry.watchFrameFiles(() => files.bytes);
  const mode = config['forward.socket_mode'];
  return {
    ...edge,
    door: doors.forward,
    logins,
    datagramRates,
    serverName: `sluice-${hostname()}`,
    handshakeTimeoutMs: config['forward.handshake_timeout_ms'],
    socketMode: mode === undefined ? undefined : Number.parseInt(mode, 8),
    session: {
      intake,
      telemetry,
      clock,
      gate,
      unackedNames: new UnackedNames(),
      pace,
      roomOf: (tenant) => intake.roomOf(tenant, 'forward'),
      ...forwardMemory(large),
      unpackTurns: new FairSlots(1),
      turn: forwardTurn(),
      frameBytesMax: config['frame.max_bytes'],
      files,
      entryBytesMax: entryBytesMaxOf(config),
      ratioMax: config['frame.max_ratio'],
      unpackedBytesMax: config['frame.unpacked_max_bytes'],
      frameTimeoutMs: config['forward.frame_timeout_ms'],
      idleTimeoutMs: config['forward.idle_timeout_ms'],
    },
  };
}

/** What is smaller is judged where documents are made of it. */
function entryBytesMaxOf(config: Config): number {
  return Math.min(config['frame.max_bytes'], Math.max(ENTRY_BYTES, config['document.max_bytes']));
}

async function collectFiles(
  { config, clock, intake }: Edge,
  { metrics, log, kubernetes = null }: Pick<ForwarderOptions, 'metrics' | 'log' | 'kubernetes'>,
): Promise<{ close(): Promise<void>; readonly unreadyReason: string | null }> {
  const host = config['collect.host'] ?? hostname();
  const pods = await openPodsOf({ config, clock, host, kubernetes }, (known) => new PodTelemetry(metrics, log, known));
  const common = {
    host,
    intake,
    room: intake.roomFor('files'),
    clock,
  };
  const rule = config['collect.journal'];
  const entryBytesMax = entryBytesMaxOf(config);
  const newTelemetry = (figures: () => JournalFigures): JournalTelemetry => new JournalTelemetry(metrics, log, figures);
  const collecting = await Collecting.open({
    ...common,
    rules: collectedRules(config, pods, clock),
    importsFailed: (error) => log.warn('imports_unavailable', { reason: reasonOf(error) }),
    watches: config['collect.watch'],
    openFilesMax: collectedFilesWithin(openFilesMax()),
    dataDir: config['data.dir'],
    newTelemetry: (figures) => new FileTelemetry(metrics, log, figures),
    journal: rule === undefined ? null : { ...common, rule, entryBytesMax, newTelemetry },
  });
  return {
    get unreadyReason() {
      return collecting.unreadyReason;
    },
    async close() {
      await Promise.all([collecting.close(), pods?.close()]);
    },
  };
}

/** Null where no pods are collected, or their paths are all that is known. */
async function openPodsOf(
  { config, clock, host, kubernetes: place }: Pick<Edge, 'config' | 'clock'> & PodPlace,
  newTelemetry: (known: () => number) => PodTelemetry,
): Promise<PodWatch | null> {
  const rule = config['collect.kubernetes'];
  if (rule === undefined) return null;
  const { openPods } = await import('./collect/pods/open-pods.ts');
  return openPods({ rule, node: place?.node ?? host, place, clock, dataDir: config['data.dir'], newTelemetry });
}

interface PodPlace {
  readonly host: string;
  readonly kubernetes: KubernetesApi | null;
}

function collectedRules(config: Config, known: PodWatch | null, clock: Clock): SourceRule[] {
  const { 'collect.kubernetes': pods, 'collect.docker': containers, 'collect.files': files = [] } = config;
  const host = config['collect.host'] ?? hostname();
  const source = known === null ? null : { source: known, nowMs: () => clock.monotonicMs() };
  return [
    ...(pods === undefined ? [] : [podRule(pods, host, source)]),
    ...(containers === undefined ? [] : [dockerRule(containers, host)]),
    ...files,
  ];
}

function admitting(admission: Admission): Admit {
  return (peer) => (admission.admits(peer.address) ? admission.principalOf(peer, null) : null);
}

/** Null where the queue is on this disk itself, or the spool is switched off. */
async function spoolBefore(
  upstream: Queue,
  { config, metrics, log, clock, telemetry }: Omit<ForwarderOptions, 'queue'> & { telemetry: ForwarderTelemetry },
): Promise<Spool | null> {
  if (upstream.kind !== 'kafka' || !config.spool) return null;
  const { openSpool } = await import('#shared/queue/spooled/open-spool.ts');
  const spool = await openSpool({
    config,
    upstream,
    clock,
    random: Math.random,
    observe: (figures) => observeSpool({ telemetry, metrics, log, clock, figures }),
    warn: (message) => log.warn('spool_warning', { message }),
  });
  watchDeadLetters(metrics, spool.queue);
  return spool;
}
