// The entry of the forwarder as an AWS Lambda function: all HTTP inputs, behind API Gateway, a function URL or a load
// balancer. The connection to Kafka is made with the start of an instance and kept.
//
// Guarantees: 200 only when Kafka has the events, under acks=all; there is no spool, whatever SLUICE_SPOOL says, since
// a function has no disk that lasts. Whoever cannot be answered before the function's deadline hears 503, and sends
// again.

import { readFileSync } from 'node:fs';
import awsLambdaFastify from '@fastify/aws-lambda';
import { RETRY_AFTER_SECONDS } from '#forwarder/accept/http/http-errors.ts';
import { prepareHttp } from '#forwarder/accept/http/http-server.ts';
import { loadAdmission } from '#forwarder/admit/admission.ts';
import { admittedExposures } from '#forwarder/admit/exposure.ts';
import { type EventDebt, EventDebts } from '#forwarder/admit/event-debts.ts';
import { LoginLimit } from '#forwarder/admit/login-limit.ts';
import { openTokenFile } from '#forwarder/admit/token-file.ts';
import { httpOptions, openIntake, largeBudget } from '#forwarder/build-intake.ts';
import { ForwarderTelemetry } from '#forwarder/intake/telemetry.ts';
import { systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import { type ErrorCode, errorTable, SluiceError } from '#shared/errors.ts';
import { createLog } from '#shared/log.ts';
import { Metrics } from '#shared/metrics.ts';
import { openQueue } from '#shared/open/open-queue.ts';
import { observeInLog } from '#shared/queue/queue-observer.ts';
import type { LambdaContext } from './context.ts';
import { CountedIntake } from './counted-intake.ts';
import { embeddedMetrics } from './embedded-metrics.ts';
import { adapted, type HttpEvent, isHttpEvent, sourceOf, wantsHeaderLists } from './http-event.ts';

interface HttpAnswer {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: string;
  readonly isBase64Encoded?: boolean;
  readonly multiValueHeaders?: Record<string, string[]>;
}

const readFile = (path: string): string => readFileSync(path, 'utf8');
const config = loadConfig({ env: process.env, readFile });
if (config.queue !== 'kafka') {
  throw new SluiceError('config_invalid', 'Cannot take events: a function keeps none; set SLUICE_KAFKA_BROKERS');
}
// Where it listens is the gateway's affair, and its certificate too; whoever reaches the gateway reaches us.
admittedExposures({ ...config, 'tls.cert': undefined, 'http.listen': '0.0.0.0:443' }, ['http.listen']);

const clock = systemClock;
const log = createLog(config['log.level'], clock);
const metrics = new Metrics({ version: process.env['AWS_LAMBDA_FUNCTION_VERSION'] ?? 'local', command: 'lambda' });
const telemetry = new ForwarderTelemetry(metrics, log);
const admission = loadAdmission(config, readFile);
const queue = await openQueue(config, {
  clock,
  observer: observeInLog(log),
  debug: (message) => log.debug('queue_client', { message }),
});
const intake = openIntake(queue, { config, clock, telemetry, admission });
const { tenants } = admission;
const tokenFile = config['http.tokens'];
const tokens = tokenFile === undefined ? null : openTokenFile(tokenFile, { tenants, clock, telemetry });
const counted = new CountedIntake(intake);
const options = httpOptions({
  config,
  clock,
  telemetry,
  intake,
  large: largeBudget(config),
  admission,
  tls: null,
});
// A function that waits is paid for; who may call it how often is the gateway's affair.
const logins = new LoginLimit({ clock, pace: { hold: () => Promise.resolve() } });
const perSecond = config['rate.small_events_per_address'];
const debts = new EventDebts({ perSecond, clock, throttled: (address) => telemetry.addressThrottled(address) });
const debtOf = (address: string, tenant: string | null): EventDebt | null => debts.of(address, tenant);
const { fastify } = await prepareHttp(
  { ...options, intake: counted, tokens, logins, rateOf: () => null, debtOf },
  'tcp',
);

const adapter = {
  decorateRequest: false,
  // A comma is a part of the value, as in filter_path=errors,items.
  parseCommaSeparatedQueryParams: false,
  // All other answers are text.
  binaryMimeTypes: ['application/x-protobuf'],
};
// It writes into the options that it is given.
const answerPlainly = awsLambdaFastify(fastify, { ...adapter });
const answerInLists = awsLambdaFastify(fastify, { ...adapter, albMultiValueHeaders: true });

/** Resolves to the answer of the routes, or to why there is none. Rejects for what is no request by HTTP. */
export async function handler(event: unknown, context: LambdaContext): Promise<HttpAnswer> {
  if (!isHttpEvent(event)) {
    throw new SluiceError('request_malformed', 'Cannot read the event: it is no request by HTTP');
  }
  const startedMs = clock.monotonicMs();
  const timeLimitMs = Math.max(0, context.getRemainingTimeInMillis() - config['lambda.deadline_margin_ms']);
  const overdue = Promise.withResolvers<HttpAnswer>();
  using _deadline = clock.timer(timeLimitMs, () =>
    overdue.resolve(refusal('queue_unavailable', 'Cannot take events: Kafka did not hold them in time; send again')),
  );
  const answer = await Promise.race([answerTo(event, context), overdue.promise]);
  const line = embeddedMetrics({
    functionName: context.functionName,
    atMs: clock.epochMs(),
    values: {
      EventsAccepted: { value: counted.take(), unit: 'Count' },
      RequestsRefused: { value: answer.statusCode >= 400 ? 1 : 0, unit: 'Count' },
      Duration: { value: clock.monotonicMs() - startedMs, unit: 'Milliseconds' },
    },
  });
  process.stdout.write(`${line}\n`);
  return answer;
}

async function answerTo(event: HttpEvent, context: LambdaContext): Promise<HttpAnswer> {
  const source = sourceOf(event);
  // Here no connection shows who comes.
  if (!admission.admits(source)) {
    telemetry.authFailed('http', 'network_refused', source);
    return refusal('unauthorized', 'Cannot take events: they come from a network that may not send');
  }
  // The first request comes before Kafka was reached; later ones hear at once that it is away.
  await queue.opened();
  const answer = wantsHeaderLists(event) ? answerInLists : answerPlainly;
  try {
    return await answer(adapted(event, source), context);
  } catch (error) {
    // A query that is not percent-encoded as it should be.
    if (!(error instanceof URIError)) throw error;
    return refusal('request_malformed', 'Cannot read the request: its query is not percent-encoded as it should be');
  }
}

function refusal(code: ErrorCode, message: string): HttpAnswer {
  const { http: statusCode } = errorTable[code];
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    ...(statusCode === 503 ? { 'retry-after': RETRY_AFTER_SECONDS } : {}),
  };
  const multiValueHeaders = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]]));
  return { statusCode, headers, multiValueHeaders, body: JSON.stringify({ error: code, message }) };
}
