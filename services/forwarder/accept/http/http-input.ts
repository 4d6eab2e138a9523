// `POST /<tag>`, as in fluentd's in_http: a body of events becomes one chunk, answered when intake has stored it.
//
// 200 {"accepted":2} is the last statement about these events; anything else is an error of the table
// (shared/errors.ts). A body is taken whole or not at all, and always gives the same entries: for events without a
// time, the indexer reads one from a key of the record, or takes the time of receipt.

import { SluiceError } from '#shared/errors.ts';
import { type EventTime, RECEIVE_TIME } from '#shared/record/event-time.ts';
import { bodyFormat, queryEntries, timeOfParameter } from '../../decode/http/body-formats.ts';
import { takenEntries } from '../../decode/http/http-entries.ts';
import { tagOfPath } from '../../decode/http/http-tag.ts';
import type { HttpDialect } from './http-context.ts';

export const tagInput: HttpDialect = (scope, context) => {
  scope.post('/*', async (request, reply) => {
    // Whatever can be refused by the headers alone is refused before the body is read.
    const { path, query } = splitUrl(request.raw.url ?? '/');
    const named = requestTag(path);
    const format = bodyFormat(request.headers['content-type']);
    if (!format) throw new SluiceError('content_type_unknown', UNKNOWN_TYPE);
    const time = requestTime(query);
    using exchange = context.open('http', request, reply);
    const tag = exchange.tag(named);
    const body = await exchange.body();
    const bytesMax = context.bodyBytesMax;
    const options = { time: time ?? RECEIVE_TIME, takeTime: time === null, bytesMax };
    const { bytes: entries, count } = takenEntries(
      (body.length === 0 ? queryEntries(query, options) : null) ??
        (await exchange.convert('body', body, { ...options, format })),
      bytesMax,
    );
    await exchange.accept({ tag, entries, count });
    return reply.type('application/json; charset=utf-8').send(`{"accepted":${count}}`);
  });
};

const UNKNOWN_TYPE =
  'Cannot read the body: its Content-Type is none of ' +
  'application/json, application/x-ndjson, application/msgpack, application/x-www-form-urlencoded';

function splitUrl(url: string): { path: string; query: string } {
  const mark = url.indexOf('?');
  return mark < 0 ? { path: url, query: '' } : { path: url.slice(0, mark), query: url.slice(mark + 1) };
}

function requestTag(path: string): string {
  const named = tagOfPath(path);
  if (named.kind !== 'tag') throw new SluiceError(named.kind, `Cannot take events: ${named.why}`);
  return named.tag;
}

function requestTime(query: string): EventTime | null {
  const text = new URLSearchParams(query).get('time');
  const time = text ? timeOfParameter(Buffer.from(text)) : null;
  if (time === undefined) {
    throw new SluiceError(
      'body_malformed',
      'Cannot take events: the parameter time has to be seconds since 1970, such as 1518756037.25',
    );
  }
  return time;
}
