// The body of `POST /<tag>` to entries, by its content type, as fluentd's in_http takes them:
//
//   application/json                       an object, or an array of objects or of [time, object]
//   application/x-ndjson (and its kin)     an object a line
//   application/msgpack (and x-msgpack)    see msgpack-body.ts
//   application/x-www-form-urlencoded      json=…, ndjson=… or msgpack=…, and time=…; or in the URL, with an empty body
//   application/csp-report, …/reports+json what browsers report, as JSON
//   none, text/plain, or a form that is none (`curl -d '{…}'`): JSON values one after another, if it begins like one

import { type EventTime, eventTimeOfText } from '#shared/record/event-time.ts';
import { formFields } from './http-form.ts';
import type { EntriesOptions, HttpEntries } from './http-entries.ts';
import { jsonEntries } from './json-entries.ts';
import { msgpackEntries } from './msgpack-body.ts';
import { ndjsonEntries } from './ndjson.ts';

export type BodyFormat = 'json' | 'ndjson' | 'msgpack' | 'form' | 'any';

const FORMATS: ReadonlyMap<string, BodyFormat> = new Map([
  ['', 'any'],
  ['text/plain', 'any'],
  ['application/json', 'json'],
  ['text/json', 'json'],
  ['application/csp-report', 'json'],
  ['application/reports+json', 'json'],
  ['application/x-ndjson', 'ndjson'],
  ['application/ndjson', 'ndjson'],
  ['application/jsonl', 'ndjson'],
  ['application/x-jsonl', 'ndjson'],
  ['application/jsonlines', 'ndjson'],
  ['application/x-jsonlines', 'ndjson'],
  ['application/msgpack', 'msgpack'],
  ['application/x-msgpack', 'msgpack'],
  ['application/vnd.msgpack', 'msgpack'],
  ['application/x-www-form-urlencoded', 'form'],
]);

const EVENT_PARAMETER = /(?:^|&)(?:json|ndjson|msgpack)=/;

/** Null for a content type that cannot be read. Parameters (charset) are ignored: JSON has but one. */
export function bodyFormat(contentType: string | undefined): BodyFormat | null {
  return FORMATS.get(mediaTypeOf(contentType)) ?? null;
}

/** The media type of a Content-Type in lower case, without its parameters; empty for none. */
export function mediaTypeOf(contentType: string | undefined): string {
  const mediaType = (contentType ?? '').split(';', 1)[0] ?? '';
  return mediaType.trim().toLowerCase();
}

/** `options.time` is for bodies that name none; see `timeOfParameter` for the query's. */
export function bodyEntries(body: Uint8Array, format: BodyFormat, options: EntriesOptions): HttpEntries {
  if (body.length === 0) return { kind: 'malformed', at: 0, why: 'it is empty' };
  switch (format) {
    case 'json':
      return jsonEntries(body, { ...options, many: false });
    case 'ndjson':
      return ndjsonEntries(body, options);
    case 'msgpack':
      return msgpackEntries(body, options);
    case 'form':
      return formEntries(body, options);
    case 'any':
      return beginsLikeJson(body)
        ? jsonEntries(body, { ...options, many: true })
        : { kind: 'malformed', at: 0, why: 'it is no JSON, and no content type says what else it is' };
  }
}

/** The events in the URL's parameters; null if there are none. */
export function queryEntries(query: string, options: EntriesOptions): HttpEntries | null {
  return EVENT_PARAMETER.test(query) ? formEntries(Buffer.from(query, 'latin1'), options) : null;
}

/** The parameter `time`: null means now, undefined that it is no time. */
export function timeOfParameter(text: Uint8Array): EventTime | null | undefined {
  const time = eventTimeOfText(text);
  if (!time) return undefined;
  return time.seconds === 0 && time.nanoseconds === 0 ? null : time;
}

function formEntries(body: Uint8Array, options: EntriesOptions): HttpEntries {
  if (beginsLikeJson(body)) return jsonEntries(body, { ...options, many: true });
  const fields = new Map(formFields(body));
  const timeText = fields.get('time');
  const time = timeText ? timeOfParameter(timeText) : null;
  if (time === undefined) return { kind: 'malformed', at: 0, why: 'its time has to be seconds since 1970' };
  const timed = time ? { ...options, time, takeTime: false } : options;
  for (const format of ['json', 'ndjson', 'msgpack'] as const) {
    const value = fields.get(format);
    if (value) return bodyEntries(value, format, timed);
  }
  return { kind: 'malformed', at: 0, why: 'a field named json, ndjson or msgpack is missing' };
}

function beginsLikeJson(body: Uint8Array): boolean {
  const first = body.find((byte) => byte > 0x20);
  return first === 0x7b || first === 0x5b;
}
