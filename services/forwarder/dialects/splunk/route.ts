// Splunk's HTTP Event Collector, for Docker's splunk driver and all else that speaks to Splunk:
//
//   POST /services/collector, …/event, …/event/1.0       events (events.ts)
//   POST /services/collector/raw, …/raw/1.0              lines
//   POST /services/collector/ack                         {"acks":[0,1]} → {"acks":{"0":true,"1":true}}
//   GET  /services/collector/health, …/health/1.0        whether events can be taken
//   OPTIONS                                              200, which Docker's driver asks for before a container starts
//
// Acknowledgement: a request with a channel gets an ackId with its 200. As 200 is said only when the events are held,
// whatever ackId a sender asks about is true; so there is no state that a restart or another forwarder would not know.

import type { FastifyReply, FastifyRequest } from 'fastify';
import { SluiceError } from '#shared/errors.ts';
import type { HttpContext, HttpDialect } from '../../accept/http/http-context.ts';
import type { HttpExchange } from '../../accept/http/http-exchange.ts';
import { errorAnswer } from '../../accept/http/http-errors.ts';
import { REQUEST_TURN_BYTES } from '../../accept/http/http-turns.ts';
import { tooManyEntries } from '../../decode/http/http-entries.ts';
import { ACKS_MAX, acksAnswer, askedAcks } from './acks.ts';
import { type HecCode, HecRefusal, hecAnswerTo, hecAnswers } from './answers.ts';
import type { HecEvents, HecOptions } from './events.ts';

const INPUT = 'splunk';
const OWN_TAG = 'splunk';
const ROOT = '/services/collector';
const EVENT_PATHS = [ROOT, `${ROOT}/event`, `${ROOT}/event/1.0`];
const RAW_PATHS = [`${ROOT}/raw`, `${ROOT}/raw/1.0`];
const HEALTH_PATHS = [`${ROOT}/health`, `${ROOT}/health/1.0`];
const CHANNEL_BYTES_MAX = 128;

export const splunk: HttpDialect = (scope, context) => {
  scope.setErrorHandler(
    context.onError(INPUT, (error, reply, request) => {
      const { code } = errorAnswer(error, reply);
      const answer = hecAnswerTo(error, code, request.headers.authorization !== undefined);
      const event = error instanceof HecRefusal && error.event !== null ? { 'invalid-event-number': error.event } : {};
      return send(reply, answer, event);
    }),
  );
  const ackIds = new AckIds();
  for (const path of EVENT_PATHS) {
    scope.post(path, (request, reply) =>
      takeEvents({
        context,
        ackIds,
        request,
        reply,
        decode: (exchange, body, options) => exchange.convert('hec', body, options),
      }),
    );
  }
  for (const path of RAW_PATHS) {
    scope.post(path, (request, reply) => {
      const metadata = {
        host: parameter(request, 'host'),
        source: parameter(request, 'source'),
        sourcetype: parameter(request, 'sourcetype'),
        index: parameter(request, 'index'),
      };
      return takeEvents({
        context,
        ackIds,
        request,
        reply,
        decode: (exchange, body, options) => exchange.convert('hecRaw', body, { ...options, metadata }),
      });
    });
  }
  for (const path of [...EVENT_PATHS, ...RAW_PATHS]) {
    scope.options(path, { config: { open: true } }, (_request, reply) => reply.header('allow', 'POST, OPTIONS').send());
  }
  scope.post(`${ROOT}/ack`, async (request, reply) => {
    using exchange = context.open(INPUT, request, reply);
    if (channelOf(request) === null) throw new HecRefusal('channel_missing', 'its channel is missing');
    const body = await exchange.body();
    await exchange.turn(REQUEST_TURN_BYTES + body.length / 2);
    const ids = askedAcks(body);
    if (ids) return reply.type('application/json; charset=utf-8').send(acksAnswer(ids));
    throw new SluiceError('body_malformed', `Cannot read the body: acks has to be an array of at most ${ACKS_MAX} ids`);
  });
  for (const path of HEALTH_PATHS) {
    scope.get(path, { config: { open: true } }, (_request, reply) =>
      send(reply, context.options.intake.unreadyReason === null ? 'healthy' : 'unhealthy'),
    );
  }
};

interface Request {
  readonly context: HttpContext;
  readonly ackIds: AckIds;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly decode: (exchange: HttpExchange, body: Buffer, options: HecOptions) => Promise<HecEvents>;
}

async function takeEvents({ context, ackIds, request, reply, decode }: Request): Promise<FastifyReply> {
  const channel = channelOf(request);
  using exchange: HttpExchange = context.open(INPUT, request, reply);
  const tag = exchange.headerTag(OWN_TAG);
  const body = await exchange.body();
  const options = { time: exchange.defaultTime, bytesMax: context.bodyBytesMax };
  const events = await decode(exchange, body, options);
  if (events.kind === 'too_large') throw tooManyEntries(options.bytesMax);
  if (events.kind === 'malformed') {
    const { code, why, event, at } = events;
    throw new HecRefusal(code, `${why} (event ${event}, byte ${at})`, code === 'no_data' ? null : event);
  }
  await exchange.accept({ tag, entries: events.entries, count: events.count });
  return send(reply, 'success', channel === null ? {} : { ackId: ackIds.next() });
}

/** One row for all channels: a sender only wants its own to differ. */
class AckIds {
  #next = 0;

  next(): number {
    return this.#next++;
  }
}

function send(reply: FastifyReply, answer: HecCode, more: object = {}): FastifyReply {
  const { status, text, code } = hecAnswers[answer];
  return reply.code(status).send({ text, code, ...more });
}

/** Null for none. Throws a HecRefusal. */
function channelOf(request: FastifyRequest): string | null {
  const header = request.headers['x-splunk-request-channel'];
  const channel = typeof header === 'string' && header !== '' ? header : parameter(request, 'channel');
  if (channel.length > CHANNEL_BYTES_MAX) throw new HecRefusal('channel_invalid', 'its channel is too long');
  return channel === '' ? null : channel;
}

/** A parameter of the URL; empty for none, the first of several. */
function parameter({ query }: FastifyRequest, name: string): string {
  const value: unknown = typeof query === 'object' && query !== null ? Reflect.get(query, name) : undefined;
  const first: unknown = Array.isArray(value) ? value[0] : value;
  return typeof first === 'string' ? first : '';
}
