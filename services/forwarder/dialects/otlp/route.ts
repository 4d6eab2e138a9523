// `POST /v1/logs`: OTLP over HTTP, in JSON or protobuf. A request is one chunk. The answer reports the records that
// were rejected (partialSuccess); the others are stored. If no record can be accepted, the answer is 400.

import { SluiceError } from '#shared/errors.ts';
import type { HttpDialect } from '../../accept/http/http-context.ts';
import { errorAnswer } from '../../accept/http/http-errors.ts';
import { mediaTypeOf } from '../../decode/http/body-formats.ts';
import { tooManyEntries } from '../../decode/http/http-entries.ts';
import { type OtlpEncoding, exportAnswer, statusAnswer } from './answer.ts';
import type { OtlpLogs } from '#shared/otlp/records.ts';

const INPUT = 'otlp';
const OWN_TAG = 'otlp';
const MEDIA_TYPES = { json: 'application/json', protobuf: 'application/x-protobuf' } as const;

export const otlp: HttpDialect = (scope, context) => {
  scope.setErrorHandler(
    context.onError(INPUT, (error, reply, request) => {
      const encoding = encodingOf(request.headers['content-type']) ?? 'json';
      const { status, message } = errorAnswer(error, reply);
      return reply.type(MEDIA_TYPES[encoding]).send(statusAnswer(encoding, status, message));
    }),
  );

  scope.post('/v1/logs', async (request, reply) => {
    const encoding = encodingOf(request.headers['content-type']);
    if (!encoding) {
      throw new SluiceError(
        'content_type_unknown',
        'Cannot read the body: its Content-Type is none of application/json, application/x-protobuf',
      );
    }
    using exchange = context.open(INPUT, request, reply);
    const tag = exchange.headerTag(OWN_TAG);
    const body = await exchange.body();
    const options = { time: exchange.defaultTime, bytesMax: context.bodyBytesMax };
    const conversion = encoding === 'json' ? 'otlpJson' : 'otlpProtobuf';
    const logs = taken(await exchange.convert(conversion, body, options), options.bytesMax);
    if (logs.rejected > 0) {
      const refusal = new SluiceError('body_malformed', `Cannot take ${logs.rejected} log records: ${logs.why}`);
      if (logs.count === 0) throw refusal;
      context.refused(INPUT, refusal);
    }
    await exchange.accept({ tag, entries: logs.entries, count: logs.count });
    return reply.type(MEDIA_TYPES[encoding]).send(exportAnswer(encoding, logs.rejected, logs.why));
  });
};

function taken(logs: OtlpLogs, bytesMax: number): OtlpLogs & { kind: 'records' } {
  if (logs.kind === 'records') return logs;
  if (logs.kind === 'too_large') throw tooManyEntries(bytesMax);
  throw new SluiceError('body_malformed', `Cannot read the body: ${logs.why}`);
}

function encodingOf(contentType: string | undefined): OtlpEncoding | null {
  switch (mediaTypeOf(contentType)) {
    case 'application/json':
      return 'json';
    case 'application/x-protobuf':
    case 'application/protobuf':
      return 'protobuf';
    default:
      return null;
  }
}
