// `POST /loki/api/v1/push`, in JSON or in protobuf packed by Snappy, and `GET /ready`, which Loki's clients may ask. A request is one
// chunk. X-Scope-OrgID says nothing: whom a sender speaks for is told by its token.

import { SluiceError } from '#shared/errors.ts';
import type { HttpDialect, HttpExchange } from '../../accept/http-context.ts';
import { errorAnswer } from '../../accept/http-errors.ts';
import { mediaTypeOf } from '../../decode/http-body.ts';
import { tooManyEntries } from '../../decode/http-entries.ts';
import { jsonStreams } from './json.ts';
import { protobufStreams } from './protobuf.ts';
import { unpackSnappy } from './snappy.ts';

const INPUT = 'loki';
const OWN_TAG = 'loki';

export const loki: HttpDialect = (scope, context) => {
  scope.setErrorHandler(
    context.onError(INPUT, (error, reply) => reply.type('text/plain').send(`${errorAnswer(error, reply).message}\n`)),
  );

  scope.post('/loki/api/v1/push', async (request, reply) => {
    const isJson = mediaTypeOf(request.headers['content-type']) === 'application/json';
    using exchange = context.open(INPUT, request, reply, 'snappy');
    const tag = exchange.headerTag(OWN_TAG);
    const body = await exchange.body();
    const bytesMax = context.bodyBytesMax;
    const streams = isJson
      ? jsonStreams(body, { bytesMax })
      : protobufStreams(unpacked(body, exchange, bytesMax), { bytesMax });
    if (streams.kind === 'too_large') throw tooManyEntries(bytesMax);
    if (streams.kind === 'malformed') throw new SluiceError('body_malformed', `Cannot read the body: ${streams.why}`);
    await exchange.accept({ tag, entries: streams.entries, count: streams.count });
    return reply.code(204).send();
  });

  scope.get('/ready', { config: { open: true } }, (_request, reply) => {
    const { unreadyReason } = context.options.intake;
    return reply
      .code(unreadyReason === null ? 200 : 503)
      .type('text/plain')
      .send(`${unreadyReason ?? 'ready'}\n`);
  });
};

function unpacked(body: Buffer, exchange: HttpExchange, bytesMax: number): Buffer {
  const result = unpackSnappy(body, bytesMax);
  if (result.kind === 'too_large') {
    throw new SluiceError('decompressed_too_large', `Cannot unpack the body: it grows to more than ${bytesMax} bytes`);
  }
  if (result.kind === 'malformed') throw new SluiceError('body_malformed', `Cannot unpack the body: ${result.why}`);
  exchange.hold(result.bytes.length);
  return result.bytes;
}
