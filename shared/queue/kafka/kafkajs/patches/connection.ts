// Two patches of a connection to a broker: it is closed when an answer does not come in time, and it is made anew
// without anything of the one before. A refusal for want of a right names the right here.

import kafkajs from 'kafkajs';
import { KafkaJSConnectionClosedError } from 'kafkajs/src/errors.js';
import Connection from 'kafkajs/src/network/connection.js';
import connectionStates from 'kafkajs/src/network/connectionStatus.js';
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';
import { missingRight } from './rights.ts';
import { checkFunction, patch } from './patch.ts';
import { API_VERSIONS } from './request-queue.ts';

const AT = 'src/network/connection.js: Connection';
/** An answer begins with its length. */
const LENGTH_BYTES = 4;

/**
 * Symptom: when a broker is frozen or cut off, requests time out one after another for minutes. The original fails the
 * request that had no answer in time and keeps the connection, so the next ones go the same way for as long as its
 * metadata is believed. A connection that does not answer is closed here. To the rest of kafkajs that is a broker that
 * is gone: it looks for the leaders anew.
 * Upstream: https://github.com/tulios/kafkajs/issues/919, open.
 */
export function patchSend(): void {
  const owner = Connection.prototype;
  const { DISCONNECTED } = connectionStates.CONNECTION_STATUS;
  checkFunction(AT, owner, 'rejectRequests', 1);
  checkFunction('src/network/requestQueue/index.js: RequestQueue', RequestQueue.prototype, 'destroy', 0);
  patch({ at: AT, owner, name: 'send', parameters: 1 }, (original) => {
    return async function sendOrGiveUp(this: Connection, request) {
      try {
        return await original.call(this, request);
      } catch (error) {
        if (!(error instanceof kafkajs.KafkaJSRequestTimeoutError)) throw namingRight(error, request.request.apiName);
        const { host, port } = this;
        const isNew = request.request.apiName === API_VERSIONS;
        const gone = isNew
          ? new kafkajs.KafkaJSConnectionError(error.message, { broker: `${host}:${port}` })
          : new KafkaJSConnectionClosedError(error.message, { host, port });
        this.connectionStatus = DISCONNECTED;
        this.rejectRequests(gone);
        this.requestQueue.destroy();
        this.socket?.destroy();
        throw gone;
      }
    };
  });
}

/** What the brokers leave out of an answer, only who asked can tell. */
function namingRight(error: unknown, apiName: string): unknown {
  if (error instanceof kafkajs.KafkaJSAggregateError) for (const one of error.errors) namingRight(one, apiName);
  if (!(error instanceof kafkajs.KafkaJSProtocolError)) return error;
  const right = missingRight(error.type, apiName);
  if (right !== null) {
    const where = 'see "Rights in Kafka" in docs/operations.md';
    Object.assign(error, { message: `${error.message}; this user lacks the right ${right}, ${where}` });
  }
  return error;
}

/**
 * Symptom: after a connection broke, answers are decoded from the middle (ERR_BUFFER_OUT_OF_BOUNDS), and the new
 * connection ends by itself. The original keeps the beginning of an answer that the break cut off, and reads on in what
 * the new connection brings; it still listens to the old socket, whose end then ends the new one; and two requests at
 * once make two sockets.
 * Upstream: https://github.com/tulios/kafkajs/issues/715, open: the same error under chaos, with two connects at once.
 */
export function patchConnect(): void {
  const owner = Connection.prototype;
  const connecting = new WeakMap<Connection, Promise<unknown>>();
  checkFunction(AT, owner, 'isConnected', 0);
  checkFunction(AT, owner, 'processData', 1);
  patch({ at: AT, owner, name: 'connect', parameters: 0 }, (original) => {
    return function connectAnew(this: Connection): Promise<unknown> {
      if (this.isConnected()) return Promise.resolve(true);
      const underWay = connecting.get(this);
      if (underWay !== undefined) return underWay;
      this.socket?.removeAllListeners();
      this.socket?.on('error', () => undefined);
      this.socket?.destroy();
      this.chunks = [];
      this.bytesBuffered = 0;
      this.bytesNeeded = LENGTH_BYTES;
      const made = original.call(this).finally(() => connecting.delete(this));
      connecting.set(this, made);
      return made;
    };
  });
}
