// Bounds the requests that one HTTP connection has in hand. Node parses everything that one read brought before it runs
// anything else: 64 KiB of pipelined requests are 2,500 requests, each with its objects, long before a rate or a token
// is checked.
//
// Guarantees: the request that is one too many is the last that is parsed of its connection, which is closed, and no
// handler sees it; those that come one after another are never too many. Requests that Node answers by itself (no Host,
// 417) are counted too.

import { type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { GatheringRequest } from './gathering-request.ts';

/** Nobody's log sender pipelines; a proxy may have a few on their way. */
export const REQUESTS_IN_HAND_MAX = 8;
/** Less than zero ends llhttp, after which Node emits `clientError`, of a socket that is closed. */
const PARSER_ERROR = -1;

/** Options of `createServer`. `exceeded` is told once of each connection, before it is closed. */
export function boundedRequests(
  exceeded: (socket: Socket) => void,
  max = REQUESTS_IN_HAND_MAX,
): { IncomingMessage: typeof IncomingMessage; ServerResponse: typeof ServerResponse } {
  const inHand = new WeakMap<Socket, number>();
  const add = (socket: Socket, requests: number): number => {
    const count = (inHand.get(socket) ?? 0) + requests;
    inHand.set(socket, count);
    return count;
  };

  class BoundedRequest extends GatheringRequest {
    constructor(socket: Socket) {
      super(socket);
      if (add(socket, 1) <= max) return;
      if (!socket.destroyed) exceeded(socket);
      // A closed socket alone would not end the parser's work on what was read: an error does, as the answer to this
      // request's headers.
      const { parser } = socket as Socket & { parser?: { onIncoming: () => number } | null };
      if (parser) parser.onIncoming = () => PARSER_ERROR;
      socket.destroy();
    }
  }

  class BoundedResponse<Request extends IncomingMessage = IncomingMessage> extends ServerResponse<Request> {
    // Node gives options too, which the types do not know.
    constructor(...given: ConstructorParameters<typeof ServerResponse<Request>>) {
      super(...given);
      const [{ socket }] = given;
      this.once('close', () => add(socket, -1));
    }
  }

  return { IncomingMessage: BoundedRequest, ServerResponse: BoundedResponse };
}

/**
 * To a request that expects what nobody has, Node gives an answer of its own and goes on with the connection, and no
 * handler asks whether its address may ask so often. So the connection ends, and new ones have a rate.
 */
export function refuseExpectations(server: Server): void {
  server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    response.writeHead(417, { connection: 'close', 'content-length': 0 }).end();
  });
}
