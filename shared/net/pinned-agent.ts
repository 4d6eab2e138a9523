// HTTPS to a server that is known by the fingerprint of a certificate: its own, or that of the authority that signed
// it. Elasticsearch's client has such a check, which goes by names: it takes whoever sends a certificate that merely
// names the authority as its issuer, and behind it the authority's own, which is public.
//
// Guarantees: nothing is sent on a connection before each certificate, from the one whose key the server has proved to
// hold up to the pinned one, was found to be signed with the key of the next. Names and dates are not looked at.

import type { X509Certificate } from 'node:crypto';
import { Agent, type AgentOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';

/** Real chains have three. */
const CHAIN_MAX = 16;
/** Until the server is known, nobody else waits for the socket, or closes it. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

export class PinnedAgent extends Agent {
  readonly #fingerprint: string;

  /** @param fingerprint SHA-256 in hex, with colons or without */
  constructor(fingerprint: string, options: AgentOptions) {
    // A session that goes on shows no certificates.
    super({ ...options, rejectUnauthorized: false, maxCachedSessions: 0 });
    this.#fingerprint = digitsOf(fingerprint);
  }

  /** The agent gets the socket when the server is known. */
  override createConnection(
    options: Parameters<Agent['createConnection']>[0],
    callback?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    const socket = super.createConnection(options) as TLSSocket;
    const overdue = (): void => void socket.destroy(new Error('it did not end the TLS handshake in time'));
    socket.setTimeout(HANDSHAKE_TIMEOUT_MS, overdue);
    let isSettled = false;
    const settle = (error: Error | null): void => {
      if (isSettled) return;
      isSettled = true;
      socket.off('timeout', overdue).setTimeout(options.timeout ?? 0);
      callback?.(error, socket);
    };
    // It stays: between two requests nobody else may listen.
    socket.on('error', settle);
    socket.once('secureConnect', () => {
      if (isSignedBy(socket.getPeerX509Certificate(), this.#fingerprint)) settle(null);
      else socket.destroy(new Error('its certificate was not signed by the one whose fingerprint is set'));
    });
  }
}

function digitsOf(fingerprint: string): string {
  return fingerprint.replaceAll(':', '').toUpperCase();
}

/** Whether it is the certificate with this fingerprint, or was signed by it, directly or not. */
function isSignedBy(shown: X509Certificate | undefined, fingerprint: string): boolean {
  let certificate = shown;
  for (let i = 0; certificate !== undefined && i < CHAIN_MAX; i += 1) {
    if (digitsOf(certificate.fingerprint256) === fingerprint) return true;
    const issuer: X509Certificate | undefined = certificate.issuerCertificate;
    if (!issuer?.ca || !certificate.checkIssued(issuer) || !certificate.verify(issuer.publicKey)) return false;
    certificate = issuer;
  }
  return false;
}
