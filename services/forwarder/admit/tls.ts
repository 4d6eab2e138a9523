// The certificate that the inputs show, and the authorities by which they recognize senders: read at the start, and
// again when the files change. Open connections are not touched. If the new files are unusable, the old certificate
// stays in force, and the error is logged.
//
//   const tls = tlsContext(config, { clock, telemetry });      null where no certificate is set
//   const server = createServer({ ...tls.options('reads'), … });      node:tls or node:https
//   tls.follow(server, 'reads');                                      it shows the new certificate from now on

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { type SecureVersion, type Server, TLSSocket, type TlsOptions, createSecureContext } from 'node:tls';
import type { Clock } from '#shared/clock.ts';
import { type Config, type SettingName, variableOf } from '#shared/config/settings.ts';
import { SluiceError, reasonOf } from '#shared/errors.ts';
import { peerAddress } from '#shared/net/networks.ts';
import { watchFiles } from '#shared/config/watched-files.ts';
import type { Peer } from './admission.ts';

/** How soon a new certificate is shown. */
const LOOK_INTERVAL_MS = 5000;

/** Whose certificate: that of the inputs, of the operators' pages, or of the read API. */
export type TlsPrefix = 'tls' | 'admin.tls' | 'read.tls';

interface TlsSettings {
  readonly prefix: TlsPrefix;
  readonly cert: string;
  readonly key: string;
  /** Undefined: senders show no certificate. */
  readonly clientCa: string | undefined;
  readonly minVersion: SecureVersion;
  /** Undefined: Node's. */
  readonly ciphers: string | undefined;
  /** Undefined: as the senders need it. */
  readonly maxVersion: SecureVersion | undefined;
}

/** Whether the senders of an input read what it answers. */
export type Senders = 'reads' | 'only_writes';

// With TLS 1.3 a server sends tickets after the handshake. A sender that only writes closes its socket with the tickets
// unread; its kernel then resets the connection, and what it sent last is lost. With TLS 1.2 all is read when the
// handshake ends.
const NEWEST: Readonly<Record<Senders, SecureVersion>> = { reads: 'TLSv1.3', only_writes: 'TLSv1.2' };

/** An operator who demands at least 1.3 accepts that loss. */
function newestOf(senders: Senders, minVersion: SecureVersion): SecureVersion {
  return NEWEST[senders] < minVersion ? minVersion : NEWEST[senders];
}

interface Material {
  readonly cert: string;
  readonly key: string;
  readonly ca: string | undefined;
  /** Milliseconds since the epoch. */
  readonly expiresMs: number;
}

export interface TlsTelemetry {
  tlsReloaded(expiresMs: number): void;
  /** The files were changed, and what they are now cannot be used. */
  tlsReloadFailed(error: unknown): void;
}

interface TlsOptionsOfContext {
  readonly clock: Clock;
  readonly telemetry: TlsTelemetry;
}

/** Null where no certificate is set. Throws config_invalid where its files cannot be used. */
export function tlsContext(config: Config, options: TlsOptionsOfContext, prefix: TlsPrefix = 'tls'): TlsContext | null {
  const settings = tlsSettings(config, prefix);
  return settings && new TlsContext(settings, options);
}

/** For `sluice check`: throws config_invalid where the files cannot be used. */
export function checkTls(config: Config): void {
  for (const prefix of ['tls', 'admin.tls', 'read.tls'] as const) {
    const settings = tlsSettings(config, prefix);
    if (settings) read(settings);
  }
}

export class TlsContext implements Disposable {
  readonly #settings: TlsSettings;
  readonly #servers = new Map<Server, Senders>();
  readonly #telemetry: TlsTelemetry;
  readonly #watch: Disposable;
  #material: Material;

  constructor(settings: TlsSettings, { clock, telemetry }: TlsOptionsOfContext) {
    this.#settings = settings;
    this.#telemetry = telemetry;
    this.#material = read(settings);
    const { cert, key, clientCa } = settings;
    const paths = [cert, key, clientCa].filter((path) => path !== undefined);
    this.#watch = watchFiles({ paths, clock, intervalMs: LOOK_INTERVAL_MS, changed: () => this.#reload() });
  }

  /** When the certificate ends to be valid, ms since the epoch. */
  get expiresMs(): number {
    return this.#material.expiresMs;
  }

  options(senders: Senders): TlsOptions {
    const { cert, key, ca } = this.#material;
    const { minVersion, maxVersion, ciphers } = this.#settings;
    const asks = ca !== undefined;
    return {
      cert,
      key,
      ...(asks && { ca }),
      requestCert: asks,
      // A probe of the operators' page shows none; each request there checks who shows what.
      rejectUnauthorized: asks && this.#settings.prefix === 'tls',
      minVersion,
      maxVersion: maxVersion ?? newestOf(senders, minVersion),
      ...(ciphers !== undefined && { ciphers }),
    };
  }

  /** The server shows new certificates as they come, until it is closed. */
  follow(server: Server, senders: Senders): void {
    this.#servers.set(server, senders);
    server.once('close', () => this.#servers.delete(server));
  }

  #reload(): void {
    try {
      this.#material = read(this.#settings);
      for (const [server, senders] of this.#servers) server.setSecureContext(this.options(senders));
      this.#telemetry.tlsReloaded(this.expiresMs);
    } catch (error) {
      this.#telemetry.tlsReloadFailed(error);
    }
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
  }
}

/** Why a handshake came to nothing, and with whom; `socket`: of `tlsClientError`. */
export function tlsFailure(error: Error, socket: Socket) {
  const isRefused = (socket instanceof TLSSocket && Boolean(socket.authorizationError)) || isCertificateMissing(error);
  const reason = isRefused ? ('certificate_refused' as const) : ('tls_failed' as const);
  const peer = peerAddress(socket.remoteAddress, 'tcp');
  return { reason, peer, detail: reasonOf(error) };
}

function isCertificateMissing(error: Error): boolean {
  return 'code' in error && error.code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE';
}

/** The peer of a connection, with or without TLS; null if it is gone. */
export function peerOf(socket: Socket, listensOn: 'tcp' | 'unix'): Peer | null {
  const address = peerAddress(socket.remoteAddress, listensOn);
  return address === null
    ? null
    : { address, certificateNames: socket instanceof TLSSocket ? certificateNames(socket) : [] };
}

/**
 * The names that a verified certificate of the peer gives: its common name, and its alternative names without their
 * kind.
 */
function certificateNames(socket: TLSSocket): string[] {
  if (!socket.authorized) return [];
  const { subject, subjectaltname = '' } = socket.getPeerCertificate();
  // Without a certificate the object is empty, whatever its type says.
  const names = [subject?.CN ?? []].flat();
  // A value with a comma or the like in it stands in quotes.
  for (const [, value = ''] of subjectaltname.matchAll(/(?:^|, )[^:,"]+:("(?:[^"\\]|\\.)*"|[^,]*)/g)) names.push(value);
  return names;
}

function tlsSettings(config: Config, prefix: TlsPrefix): TlsSettings | null {
  const cert = config[`${prefix}.cert` as const];
  const key = config[`${prefix}.key` as const];
  // Readers are known by tokens, which name their tenants.
  const clientCa = prefix === 'read.tls' ? undefined : config[`${prefix}.client_ca` as const];
  const newest = config['tls.max_version'];
  const maxVersion = newest && (`TLSv${newest}` as const);
  if (cert === undefined || key === undefined) return null;
  const minVersion = `TLSv${config['tls.min_version']}` as const;
  return { prefix, cert, key, clientCa, minVersion, maxVersion, ciphers: config['tls.ciphers'] };
}

function read(settings: TlsSettings): Material {
  const { prefix, clientCa } = settings;
  const cert = readPem(`${prefix}.cert`, settings.cert);
  const key = readPem(`${prefix}.key`, settings.key);
  const ca = clientCa === undefined || prefix === 'read.tls' ? undefined : readPem(`${prefix}.client_ca`, clientCa);
  try {
    createSecureContext({ cert, key, ca, ...(settings.ciphers !== undefined && { ciphers: settings.ciphers }) });
    if (ca !== undefined) new X509Certificate(ca);
    return { cert, key, ca, expiresMs: Date.parse(new X509Certificate(cert).validTo) };
  } catch (error) {
    const what = 'the files are no certificate, key and authority that belong together, or the ciphers are none';
    throw new SluiceError('config_invalid', `Cannot speak TLS with ${settings.cert}: ${what} (${reasonOf(error)})`, {
      cause: error,
    });
  }
}

function readPem(setting: SettingName, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new SluiceError('config_invalid', `${variableOf(setting)}: cannot read ${path}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}
