// Three patches of connections whose login ends: brokers tell a session's lifetime, and close a connection that sends
// anything but a login after its end (KIP-368). kafkajs logs in again with the first request near the end, which also
// serves a connection that was idle for longer.

import { KafkaJSConnectionClosedError } from 'kafkajs/src/errors.js';
import SaslAuthenticator from 'kafkajs/src/broker/saslAuthenticator/index.js';
import Connection from 'kafkajs/src/network/connection.js';
import connectionStates from 'kafkajs/src/network/connectionStatus.js';
import RequestQueue, { type PushedRequest } from 'kafkajs/src/network/requestQueue/index.js';
import { checkFunction, patch } from './patch.ts';

/** Of a session; then the connection logs in again. */
const SESSION_SHARE = 0.8;
/** A broker takes no second login within a second of the one before. */
const LOGIN_INTERVAL_MS = 1100;
const LOGIN_REQUESTS: ReadonlySet<string> = new Set(['SaslHandshake', 'SaslAuthenticate']);
const QUEUE_AT = 'src/network/requestQueue/index.js: RequestQueue';

/**
 * Symptom: with sessions of ten seconds or less (a token near its end), requests fail with ILLEGAL_SASL_STATE. The
 * original logs in again ten seconds before the end, so here with each request; a broker refuses that within a second.
 */
export function patchSessionEnd(): void {
  const at = 'src/network/connection.js: Connection';
  patch({ at, owner: Connection.prototype, name: 'isAuthenticated', parameters: 0 }, () => {
    return function isAuthenticated(this: Connection): boolean {
      if (this.authenticatedAt === null) return false;
      const lifetimeMs = Number(this.sessionLifetime.toString());
      if (lifetimeMs === 0) return true;
      const [seconds, nanoseconds] = process.hrtime(this.authenticatedAt);
      return seconds * 1000 + nanoseconds / 1e6 < Math.max(lifetimeMs * SESSION_SHARE, LOGIN_INTERVAL_MS);
    };
  });
}

/** What may not be sent before the login that is under way has ended. */
const heldBack = new WeakMap<RequestQueue, PushedRequest[]>();

/**
 * Symptom: under load a broker closes a connection that logs in again ("Unexpected Kafka request during SASL
 * handshake"). The original lets a request through that was being encoded when the login began; it arrives in the
 * middle. It waits here. And a connection whose login failed takes no other: it is closed, where the original keeps
 * it.
 */
export function patchLogin(): void {
  const owner = SaslAuthenticator.prototype;
  const { DISCONNECTED } = connectionStates.CONNECTION_STATUS;
  checkFunction(QUEUE_AT, RequestQueue.prototype, 'destroy', 0);
  const at = 'src/broker/saslAuthenticator/index.js: SASLAuthenticator';
  patch({ at, owner, name: 'authenticate', parameters: 0 }, (original) => {
    return async function authenticateAlone(this: SaslAuthenticator): Promise<void> {
      const { connection } = this;
      const { requestQueue: queue } = connection;
      const held: PushedRequest[] = [];
      heldBack.set(queue, held);
      try {
        await original.call(this);
      } catch (error) {
        heldBack.delete(queue);
        const gone = closed(connection, 'the login failed');
        for (const { entry } of held) entry.reject(gone);
        connection.connectionStatus = DISCONNECTED;
        connection.rejectRequests(gone);
        queue.destroy();
        connection.socket?.destroy();
        throw error;
      }
      heldBack.delete(queue);
      for (const pushed of held) {
        // Nothing would ever answer on one that was closed meanwhile.
        if (connection.isConnected()) queue.push(pushed);
        else pushed.entry.reject(closed(connection, 'it ended during a login'));
      }
    };
  });
}

function closed({ host, port }: Connection, why: string): Error {
  return new KafkaJSConnectionClosedError(`Closed connection: ${why}`, { host, port });
}

/** See `patchLogin`. */
export function patchPush(): void {
  patch({ at: QUEUE_AT, owner: RequestQueue.prototype, name: 'push', parameters: 1 }, (original) => {
    return function pushWhenLoggedIn(this: RequestQueue, pushed): void {
      const held = heldBack.get(this);
      if (held === undefined || LOGIN_REQUESTS.has(pushed.entry.apiName)) original.call(this, pushed);
      else held.push(pushed);
    };
  });
}
