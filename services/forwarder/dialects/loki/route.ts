// `POST /loki/api/v1/push`, in JSON or in protobuf packed by Snappy, and `GET /ready`, which Loki's clients may ask. A
// request is one chunk. X-Scope-OrgID is ignored: a sender's token says for whom it speaks.

import { SluiceError } from '#shared/errors.ts';
import type { HttpDialect } from '../../accept/http/http-context.ts';
import { errorAnswer } from '../../accept/http/http-errors.ts';
import { mediaTypeOf } from '../../decode/http/body-formats.ts';
import { tooManyEntries } from '../../decode/http/http-entries.ts';

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
    const streams = await exchange.convert(isJson ? 'lokiJson' : 'lokiProtobuf', body, { bytesMax });
    if (streams.kind === 'packed_badly') throw cannotUnpack(streams.why, bytesMax);
    if (streams.kind === 'too_large') throw tooManyEntries(bytesMax);
    if (streams.kind === 'malformed') throw new SluiceError('body_malformed', `Cannot read the body: ${streams.why}`);
    await exchange.accept({ tag, entries: streams.entries, count: streams.count });
    return reply.code(204).send();
  });

  scope.get('/ready', { config: { open: true } }, (_request, reply) => {
    const isReady = context.options.intake.unreadyReason === null;
    // The reason names brokers: it is for /readyz of the admin page.
    return reply
      .code(isReady ? 200 : 503)
      .type('text/plain')
      .send(isReady ? 'ready\n' : 'not ready\n');
  });
};

/** @param why null: it is too large */
function cannotUnpack(why: string | null, bytesMax: number): SluiceError {
  return why === null
    ? new SluiceError('decompressed_too_large', `Cannot unpack the body: it grows to more than ${bytesMax} bytes`)
    : new SluiceError('body_malformed', `Cannot unpack the body: ${why}`);
}
