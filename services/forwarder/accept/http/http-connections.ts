// The connections of an HTTP server and the requests that each has in hand, so that a stop is prompt and loses no
// answer.
//
// Guarantees: during a stop, a connection without a request in hand closes at once, and any other after its answer.
// With the last of them close those whose TLS handshake has not ended. Garbage behind a request never takes that
// request's place in the order of answers.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import { AcceptedSockets } from '#shared/net/accepted-sockets.ts';
import type { ErrorCode } from '#shared/errors.ts';

export interface ConnectionEvents {
  opened(): void;
  closed(): void;
  /** Something came that is no HTTP request. `detail`: the parser's code. */
  garbage(code: ErrorCode, detail: string): void;
}

export class HttpConnections {
  readonly #inHand = new Map<Socket, { count: number; latest: IncomingMessage | null }>();
  /** Their next answer is the last one. */
  readonly #ending = new WeakSet<Socket>();
  readonly #accepted: AcceptedSockets;
  readonly #events: ConnectionEvents;
  readonly #stopping = new AbortController();

  constructor(server: Server, events: ConnectionEvents) {
    this.#events = events;
    this.#accepted = new AcceptedSockets(server);
    // By TLS a request's socket is not the one that was accepted.
    const connected = server instanceof TlsServer ? 'secureConnection' : 'connection';
    server.on(connected, (socket: Socket) => this.#opened(socket));
    server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
      this.#requested(request, response);
    });
  }

  get closing(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** Aborted when it closes. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Whether the answer that is about to be sent is the connection's last. */
  isEnding(socket: Socket): boolean {
    return this.closing || this.#ending.has(socket);
  }

  /** Closes idle connections now, and the others as they are answered. */
  close(): void {
    this.#stopping.abort();
    for (const [socket, inHand] of this.#inHand) if (inHand.count === 0) socket.destroy();
    this.#endIfAnswered();
  }

  destroyAll(): void {
    for (const socket of this.#inHand.keys()) socket.destroy();
    this.#accepted.destroyAll();
  }

  /** For Node's `clientError`: what came is no request, or did not come in time. */
  broken(error: Error, socket: Socket): void {
    const detail = 'code' in error ? String(error.code) : error.name;
    if (detail === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const { code, status } = ANSWERS.get(detail) ?? MALFORMED;
    const { count, latest } = this.#inHand.get(socket) ?? NONE;
    if (count > 0 && latest?.complete) {
      this.#ending.add(socket);
      stopReading(socket);
      if (detail !== CUT_SHORT) this.#events.garbage(code, detail);
      return;
    }
    if (detail === CUT_SHORT) {
      // Nobody would read an answer. If a body was being read, its reader reports that.
      socket.destroy();
      return;
    }
    if (count > 1) {
      // A body broke behind requests that still wait for their answers, so its own answer has no place.
      socket.destroy();
      return;
    }
    // If a body was being read, its reader notices the connection's end and reports it.
    if (count === 0) this.#events.garbage(code, detail);
    const body = JSON.stringify({ error: code });
    const headers = `Content-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close`;
    socket.end(`HTTP/1.1 ${status}\r\n${headers}\r\n\r\n${body}`);
    socket.destroySoon();
  }

  #opened(socket: Socket): void {
    // Its handshake ended during the stop: nothing else would close it.
    if (this.closing) {
      socket.destroy();
      return;
    }
    this.#inHand.set(socket, { count: 0, latest: null });
    this.#events.opened();
    socket.once('close', () => {
      this.#inHand.delete(socket);
      this.#events.closed();
      this.#endIfAnswered();
    });
  }

  #endIfAnswered(): void {
    if (this.closing && this.#inHand.size === 0) this.#accepted.destroyAll();
  }

  #requested(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    const inHand = this.#inHand.get(socket);
    if (!inHand) return;
    inHand.count += 1;
    inHand.latest = request;
    response.once('close', () => {
      inHand.count -= 1;
      if (inHand.count === 0 && this.isEnding(socket)) socket.destroySoon();
    });
  }
}

/** Whatever else comes would be parsed for nothing until the requests before it have their answers. */
function stopReading(socket: Socket): void {
  // A server's socket is read by the parser itself, past the stream that could be paused.
  const { _handle: handle } = socket as Socket & { readonly _handle?: { readStop?: () => number } | null };
  handle?.readStop?.();
}

const NONE = { count: 0, latest: null };
/** The parser's word for a sender that left in the middle of a request. */
const CUT_SHORT = 'HPE_INVALID_EOF_STATE';
const MALFORMED = { code: 'request_malformed', status: '400 Bad Request' } as const;
const ANSWERS: ReadonlyMap<string, { readonly code: ErrorCode; readonly status: string }> = new Map([
  ['HPE_HEADER_OVERFLOW', { code: 'headers_too_large', status: '431 Request Header Fields Too Large' }],
  ['CHUNKS_TOO_MANY', { code: 'rate_limited', status: '429 Too Many Requests' }],
  ['ERR_HTTP_REQUEST_TIMEOUT', { code: 'request_timeout', status: '408 Request Timeout' }],
]);
