// `POST|PUT /_bulk` and `/<index>/_bulk`, for whatever sends to Elasticsearch. Each item has its answer, in order, and
// 201 means that its document is stored durably. The tag is the index's name. For what clients ask before they send see
// handshake.ts.

import { setImmediate as turn } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { SluiceError, isRetryable } from '#shared/errors.ts';
import type { HttpContext, HttpDialect } from '../../accept/http/http-context.ts';
import type { HttpExchange } from '../../accept/http/http-exchange.ts';
import { errorAnswer } from '../../accept/http/http-errors.ts';
import { CHUNK_TURN_BYTES, FEW_CHUNKS } from '../../accept/http/http-turns.ts';
import { STEP, bulkAnswer, bulkReaderOf, errorBody } from './answers.ts';
import type { Bulk } from './bulk.ts';
import { type BulkGroup, type BulkTable, answeredBytes, groupsOf, refusedCount } from './bulk-table.ts';
import { parseFilterPath } from './filter-path.ts';
import { answerHandshake, sendJson, sendJsonPieces } from './handshake.ts';

const INPUT = 'elasticsearch';
/** Groups that are on their way to intake at once; each document with an id is a group. */
const GROUPS_AT_ONCE = 256;
/** A body up to here has few items, or its few items do not cost much more than its bytes. */
const FEW_CHUNKS_BYTES = 4096;
/** Groups in one turn of a request with many of them. */
const GROUPS_PER_CROWD = 4000;
/** Groups that are submitted in one step. */
const GROUPS_PER_STEP = 32;
/** What an item's answer costs of a turn of the event loop: 0.5 to 1 µs. */
const ANSWER_TURN_BYTES = 4;

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
  // What is made of a body is several times its size where it has many items: those that wait have only their bytes.
  using crowd = new CrowdTurn(exchange);
  if (body.length > FEW_CHUNKS_BYTES) await crowd.enter(body.length);
  const table = taken(await exchange.convert('bulk', body, options));
  const outcomes = await accept(exchange, table, crowd);
  exchange.settled(answeredBytes(table));
  refuseWhole(outcomes);
  const refused = refusedCount(table);
  if (refused > 0) {
    const message = `Cannot take ${refused} items: ${table.refusals[0]?.reason}`;
    context.refused(INPUT, new SluiceError('body_malformed', message));
  }
  await countRefused(context, outcomes);
  // A client that asks for certain fields has limited the length itself.
  const reader = filterPath ? 'whole' : bulkReaderOf(request.headers);
  const pieces = bulkAnswer(clock.monotonicMs() - beganMs, table, { outcomes, reader, filterPath });
  const bytes = ANSWER_TURN_BYTES * Math.min(table.operations.length, STEP);
  // A client that is gone reads no answer, but its events are accepted.
  const mayGoOn = (): Promise<void> => exchange.turn(bytes).catch(() => undefined);
  await mayGoOn();
  // What it is made of is in memory for as long.
  using _limit = clock.timer(context.options.timeoutMs, () => request.raw.socket.destroy());
  return await sendJsonPieces(request, reply, { pieces, mayGoOn });
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

/** The turn of a request among those that have many items, while it has one. */
class CrowdTurn implements Disposable {
  readonly #exchange: HttpExchange;
  #turn: Disposable | null = null;

  constructor(exchange: HttpExchange) {
    this.#exchange = exchange;
  }

  /** @param bytes of a body that is still to be converted */
  async enter(bytes = 0): Promise<void> {
    this.#turn ??= await this.#exchange.crowd(bytes);
  }

  [Symbol.dispose](): void {
    this.#turn?.[Symbol.dispose]();
    this.#turn = null;
  }
}

/** The result for each group: null if it is stored, else the error. */
async function accept(exchange: HttpExchange, table: BulkTable, crowd: CrowdTurn): Promise<unknown[]> {
  const outcomes: unknown[] = [];
  const groups = groupsOf(table);
  const count = table.groupIndex.length;
  if (count <= FEW_CHUNKS) crowd[Symbol.dispose]();
  while (outcomes.length < count) {
    const error = count > FEW_CHUNKS ? await crowd.enter().then(nothing, (busy: unknown) => busy) : null;
    if (error !== null) {
      if (outcomes.length === 0 || !isRetryable(error)) throw error;
      // It has waited too long in the middle: its client sends the rest again, and not what is held.
      while (outcomes.length < count) outcomes.push(error);
      break;
    }
    // What is begun is ended first, for it holds its items meanwhile.
    const end = Math.min(count, outcomes.length + GROUPS_PER_CROWD);
    while (outcomes.length < end) {
      outcomes.push(...(await acceptSome(exchange, groups)));
      // What is refused is refused without a turn.
      if (outcomes.length < count) await turn();
    }
    crowd[Symbol.dispose]();
  }
  return outcomes;
}

/** The next ones. None is under way when it resolves or rejects. */
async function acceptSome(exchange: HttpExchange, groups: Iterator<BulkGroup, void>): Promise<unknown[]> {
  const some: Promise<unknown>[] = [];
  try {
    while (some.length < GROUPS_AT_ONCE) {
      if (some.length % GROUPS_PER_STEP === 0) await exchange.turn(GROUPS_PER_STEP * CHUNK_TURN_BYTES);
      const next = groups.next();
      if (next.done) break;
      some.push(acceptGroup(exchange, next.value).then(nothing, (error: unknown) => error));
    }
  } finally {
    await Promise.all(some);
  }
  return Promise.all(some);
}

const nothing = (): null => null;

/** Each error once, which may be as many as there are groups. */
async function countRefused(context: HttpContext, outcomes: readonly unknown[]): Promise<void> {
  let counted = 0;
  for (const error of new Set(outcomes)) {
    if (error === null) continue;
    context.refused(INPUT, error);
    counted += 1;
    if (counted % GROUPS_AT_ONCE === 0) await turn();
  }
}

async function acceptGroup(exchange: HttpExchange, { index, id, content, entries, count }: BulkGroup): Promise<void> {
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
