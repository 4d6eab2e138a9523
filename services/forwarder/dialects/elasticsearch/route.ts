// `POST|PUT /_bulk` and `/<index>/_bulk`, for whatever sends to Elasticsearch: each item has its answer, in order, and
// 201 means that its document is held. The tag is the index's name. What clients ask before they send is in
// handshake.ts.

import { setImmediate as turn } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { SluiceError, isRetryable } from '#shared/errors.ts';
import type { HttpContext, HttpDialect } from '../../accept/http/http-context.ts';
import type { HttpExchange } from '../../accept/http/http-exchange.ts';
import { errorAnswer } from '../../accept/http/http-errors.ts';
import { CHUNK_TURN_BYTES } from '../../accept/http/http-turns.ts';
import { bulkAnswer, bulkReaderOf, errorBody } from './answers.ts';
import type { Bulk } from './bulk.ts';
import { type BulkRun, type BulkTable, refusedCount, runsOf } from './bulk-table.ts';
import { parseFilterPath } from './filter-path.ts';
import { answerHandshake, sendJson, sendJsonPieces } from './handshake.ts';

const INPUT = 'elasticsearch';
/** Runs that are on their way to intake at once: one for each document with an id. */
const RUNS_AT_ONCE = 500;
/** Of those, handed over in one step. */
const RUNS_PER_STEP = 32;

export const elasticsearch: HttpDialect = (scope, context) => {
  // The official clients speak to nothing that does not say this.
  scope.addHook('onSend', (_request, reply, _payload, done) => {
    reply.header('x-elastic-product', 'Elasticsearch');
    done();
  });
  scope.setErrorHandler(
    context.onError(INPUT, (error, reply, request) => {
      const { code, status, message } = errorAnswer(error, reply);
      return sendJson(request, reply, errorBody(code, status, message));
    }),
  );
  answerHandshake(scope);
  for (const url of ['/_bulk', '/:index/_bulk']) {
    scope.route({ method: ['POST', 'PUT'], url, handler: (request, reply) => takeBulk(context, request, reply) });
  }
};

async function takeBulk(context: HttpContext, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const filterPath = parseFilterPath(textIn(request.query, 'filter_path') ?? '');
  if (filterPath === undefined)
    throw new SluiceError('request_malformed', 'Cannot take the request: its filter_path is too long');
  using exchange = context.open(INPUT, request, reply);
  const body = await exchange.body();
  const { clock } = context.options;
  const beganMs = clock.monotonicMs();
  const index = textIn(request.params, 'index');
  const options = { index, time: exchange.defaultTime, bytesMax: context.bodyBytesMax };
  const table = taken(await exchange.convert('bulk', body, options));
  const outcomes = await accept(exchange, table);
  refuseWhole(outcomes);
  const refused = refusedCount(table);
  if (refused > 0) {
    const message = `Cannot take ${refused} items: ${table.refusals[0]?.reason}`;
    context.refused(INPUT, new SluiceError('body_malformed', message));
  }
  await countRefused(context, outcomes);
  // Who asks for certain fields has seen to the length.
  const reader = filterPath ? 'whole' : bulkReaderOf(request.headers);
  const pieces = bulkAnswer(clock.monotonicMs() - beganMs, table, { outcomes, reader, filterPath });
  return await sendJsonPieces(request, reply, pieces);
}

function taken(bulk: Bulk): BulkTable {
  if (bulk.kind === 'too_large') {
    throw new SluiceError('body_too_large', `Cannot take the events of the body: ${bulk.why}; send fewer at once`);
  }
  if (bulk.kind === 'malformed') {
    throw new SluiceError('body_malformed', `Cannot read the body: ${bulk.why} (line ${bulk.line})`);
  }
  if (bulk.table.operations.length === 0)
    throw new SluiceError('body_malformed', 'Cannot read the body: there is no item in it');
  return bulk.table;
}

/** What became of each run: null where it is held, else why it is not. */
async function accept(exchange: HttpExchange, table: BulkTable): Promise<unknown[]> {
  const outcomes: unknown[] = [];
  let some: Promise<unknown>[] = [];
  for (const run of runsOf(table)) {
    if (some.length % RUNS_PER_STEP === 0) await exchange.turn(RUNS_PER_STEP * CHUNK_TURN_BYTES);
    some.push(
      acceptRun(exchange, run).then(
        () => null,
        (error: unknown) => error,
      ),
    );
    if (some.length < RUNS_AT_ONCE) continue;
    outcomes.push(...(await Promise.all(some)));
    some = [];
    // What is refused is refused without a turn.
    await turn();
  }
  outcomes.push(...(await Promise.all(some)));
  return outcomes;
}

/** Each error once, which may be as many as there are runs. */
async function countRefused(context: HttpContext, outcomes: readonly unknown[]): Promise<void> {
  let counted = 0;
  for (const error of new Set(outcomes)) {
    if (error === null) continue;
    context.refused(INPUT, error);
    counted += 1;
    if (counted % RUNS_AT_ONCE === 0) await turn();
  }
}

async function acceptRun(exchange: HttpExchange, { index, id, content, entries, count }: BulkRun): Promise<void> {
  const name = id === null || content === null ? undefined : { chunkId: Buffer.from(id), content };
  await exchange.accept({ tag: exchange.tag(index), entries, count }, name);
}

/** Where nothing could be held and another try may help, the whole request is refused: clients wait then. */
function refuseWhole(outcomes: readonly unknown[]): void {
  if (outcomes.length > 0 && outcomes.every((error) => error !== null && isRetryable(error))) throw outcomes[0];
}

function textIn(fields: unknown, name: string): string | null {
  const value: unknown = typeof fields === 'object' && fields !== null ? Reflect.get(fields, name) : undefined;
  return typeof value === 'string' ? value : null;
}
