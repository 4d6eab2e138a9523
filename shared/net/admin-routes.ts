// What the admin page answers: /metrics, /livez, /readyz, and the actions that an operator may ask for. An action tells
// how far it is, a line of JSON at a time; who started it and how it ended is reported.

import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AdminDeed } from '../access-log.ts';
import { reasonOf, SluiceError } from '../errors.ts';
import { type AdminAccess, type AdminPageTelemetry, TEXT } from './admin-admission.ts';

/** Something that is done when it is posted for, by who may act. */
export interface AdminAction {
  readonly path: string;
  /** For the index: method, and what it does. */
  readonly about: string;
  /**
   * Tells how far it is, line by line; rejects with a SluiceError before the first line where it cannot be done.
   * @param body the request's JSON @param signal aborted when the asker hangs up
   */
  readonly run: (body: unknown, signal: AbortSignal) => AsyncGenerator<string, void, void>;
}

export interface AdminRoutesOptions {
  readonly access: AdminAccess;
  readonly telemetry: AdminPageTelemetry;
  /** `accept`: the header of the scraper. */
  readonly metrics: (accept: string) => Promise<{ readonly contentType: string; readonly body: string }>;
  /** Empty while all is well. */
  readonly unreadyReasons: () => readonly string[] | Promise<readonly string[]>;
  /** What an operator may ask the process to do. */
  readonly actions?: readonly AdminAction[];
}

const LINES = 'application/x-ndjson';
const INDEX = `Sluice, for its operators:
/metrics  counters and gauges, in the Prometheus text format
/livez    200 while the process runs
/readyz   200 while events can be taken and passed on, else 503 with the reasons
`;

export function addRoutes(
  fastify: FastifyInstance,
  { metrics, unreadyReasons, actions = [], access, telemetry }: AdminRoutesOptions,
): void {
  const index = INDEX + actions.map(({ path, about }) => `${path}  ${about}\n`).join('');
  fastify.get('/', (_request, reply) => reply.type(TEXT).send(index));
  const open = { config: { isPublic: true } } as const;
  fastify.get('/livez', open, (_request, reply) => reply.type(TEXT).send('ok\n'));
  fastify.get('/readyz', open, async ({ raw }, reply) => {
    const reasons = await unreadyReasons();
    // They name brokers and stores.
    const told = access.whoIs(raw) === null ? ['not ready; the reasons are told to who shows a token'] : reasons;
    const body = reasons.length === 0 ? 'ok\n' : told.map((reason) => `${reason}\n`).join('');
    return reply
      .code(reasons.length === 0 ? 200 : 503)
      .type(TEXT)
      .send(body);
  });
  fastify.get('/metrics', async (request, reply) => {
    const { contentType, body } = await metrics(request.headers.accept ?? '');
    return reply.type(contentType).send(body);
  });
  // A page in a browser can post text to loopback, but no JSON without asking first; so JSON it must be.
  fastify.removeContentTypeParser('text/plain');
  for (const action of actions) {
    fastify.post(action.path, (request, reply) => act(action, { request, reply, telemetry }));
  }
}

interface Asked {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly telemetry: AdminPageTelemetry;
}

async function act({ path, run }: AdminAction, { request, reply, telemetry }: Asked): Promise<FastifyReply> {
  const { operator } = request;
  if (!operator?.mayAct) {
    telemetry.authFailed('admin', 'other_machine', operator?.peer ?? null);
    const why = 'Cannot do this for another machine: ask from the one that Sluice runs on, or set SLUICE_ADMIN_TOKEN';
    return reply.code(403).type(TEXT).send(`${why}\n`);
  }
  const { who, peer } = operator;
  const tell = (outcome: AdminDeed['outcome']): void => telemetry.acted({ action: path, who, peer, outcome });
  const hangUp = new AbortController();
  reply.raw.on('close', () => hangUp.abort());
  const lines = run(request.body, hangUp.signal);
  try {
    const first = await lines.next();
    tell('started');
    return await reply.type(LINES).send(Readable.from(following(first, lines, tell)));
  } catch (error) {
    tell('failed');
    const status = error instanceof SluiceError ? error.kind.http : 500;
    return reply
      .code(status)
      .type(TEXT)
      .send(`${reasonOf(error)}\n`);
  }
}

async function* following(
  first: IteratorResult<string, void>,
  rest: AsyncGenerator<string, void, void>,
  tell: (outcome: AdminDeed['outcome']) => void,
): AsyncGenerator<string, void, void> {
  let outcome: AdminDeed['outcome'] = 'failed';
  try {
    if (!first.done) {
      yield first.value;
      yield* rest;
    }
    outcome = 'done';
  } finally {
    tell(outcome);
  }
}
