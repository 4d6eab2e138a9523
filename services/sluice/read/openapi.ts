// The description of the read API, OpenAPI 3.1: https://spec.openapis.org/oas/v3.1.1.html. Its parameters are those
// that parameters.ts takes; a test holds its paths and schemas to what is answered. Pure.

import { VERSION } from '../process/version.ts';
import { DOCUMENTS_MAX, LAST_MAX, PARAMETERS, SAMPLE_DEFAULT, SAMPLE_MAX, SEARCH_DEFAULT } from './parameters.ts';
import type { BODIES } from './stored-request.ts';
import { POSTED_SCHEMAS, STORED_SCHEMAS } from './wire/schemas.ts';

type Json = Readonly<Record<string, unknown>>;

const text: Json = { type: 'string' };
const texts: Json = { type: 'array', items: text };
const count = (maximum: number, byDefault: number): Json => ({
  type: 'integer',
  minimum: 1,
  maximum,
  default: byDefault,
});
const shape = (properties: Json): Json => ({ type: 'object', required: Object.keys(properties), properties });

const TIME = 'a duration ago (10m, 2h30m), a time (2026-03-01T12:00:00Z), or Unix seconds';
const NAMES: Readonly<Record<string, { readonly about: string; readonly schema: Json }>> = {
  q: { about: 'The query, as `sluice search` takes it; behind a bar (search alone) what is made of it.', schema: text },
  from: { about: `At or after: ${TIME}.`, schema: text },
  to: { about: `Before: ${TIME}.`, schema: text },
  name: { about: 'Of one container, service, pod or tag; `*` stands for anything.', schema: text },
  tenant: { about: 'Of this tenant alone. A token of a tenant reads no other one.', schema: text },
  level: { about: 'At this level or worse.', schema: text },
  pod: { about: 'Of a pod of Kubernetes; `*` stands for anything.', schema: text },
  namespace: { about: 'Of a namespace of Kubernetes; `*` stands for anything.', schema: text },
  limit: {
    about: 'At most so many documents, or rows. Lines (application/x-ndjson) may be more than an array.',
    schema: count(DOCUMENTS_MAX, SEARCH_DEFAULT),
  },
  order: { about: 'Which come first.', schema: { type: 'string', enum: ['newest', 'oldest'], default: 'newest' } },
  after: { about: 'Goes on with documents: the `next` of the answer before, with the same query.', schema: text },
  every: {
    about: 'Span of time of a row; where it is not given, one that makes about sixty.',
    schema: { type: 'string', pattern: String.raw`^\d{1,6}[smhd]$` },
  },
  by: { about: 'Up to three fields, with commas: a row for each of their values too.', schema: text },
  sample: { about: 'How many of the newest documents are looked at.', schema: count(SAMPLE_MAX, SAMPLE_DEFAULT) },
  last: {
    about: 'So many documents that are there already come first.',
    schema: { type: 'integer', maximum: LAST_MAX },
  },
};

const value: Json = { type: ['string', 'number', 'null'] };
const rows: Json = { columns: texts, rows: { type: 'array', items: { type: 'object', additionalProperties: value } } };
const remarks: Json = { hints: texts, warnings: texts };

/** By name: what answers look like. */
const SCHEMAS: Readonly<Record<string, Json>> = {
  ...STORED_SCHEMAS,
  Document: { type: 'object', description: 'As stored: docs/documents.md has its fields.' },
  Documents: shape({
    documents: { type: 'array', items: { $ref: '#/components/schemas/Document' } },
    next: { type: ['string', 'null'], description: 'For `after`; null where nothing is left.' },
    ...remarks,
  }),
  Rows: shape({ ...rows, ...remarks }),
  Histogram: shape({ every_ms: { type: 'integer' }, from: text, ...rows, ...remarks }),
  Fields: shape({
    sampled: { type: 'integer' },
    fields: {
      type: 'array',
      items: shape({
        name: text,
        documents: { type: 'integer' },
        values: { type: 'array', items: shape({ value: text, documents: { type: 'integer' } }) },
      }),
    },
    ...remarks,
  }),
  Error: shape({
    error: {
      type: 'object',
      required: ['code', 'message'],
      properties: {
        code: { ...text, description: 'Of docs/errors.md.' },
        message: text,
        at: { type: 'integer', description: 'Where the query is wrong, in UTF-16 units.' },
      },
    },
  }),
};

interface Endpoint {
  readonly about: string;
  readonly content: Json;
}

const as = (name: string): Json => ({ schema: { $ref: `#/components/schemas/${name}` } });
const ENDPOINTS: Readonly<Record<keyof typeof PARAMETERS, Endpoint>> = {
  search: {
    about: 'Documents, or what the query makes of them.',
    content: {
      'application/json': {
        schema: { anyOf: [{ $ref: '#/components/schemas/Documents' }, { $ref: '#/components/schemas/Rows' }] },
      },
      'application/x-ndjson': {
        schema: { ...text, description: 'A document, or a row, a line, as `sluice search --json`.' },
      },
    },
  },
  histogram: {
    about: 'How many documents there are in each span of time.',
    content: { 'application/json': as('Histogram') },
  },
  fields: {
    about: 'Fields of the newest documents, and their frequent values.',
    content: { 'application/json': as('Fields') },
  },
  tail: {
    about:
      'What comes into the store from now on, as server-sent events: a document in each; `end` tells why it ' +
      'ends. Of the embedded store, events have an id, and Last-Event-ID goes on there.',
    content: { 'text/event-stream': { schema: text } },
  },
  store: { about: 'Which store it is.', content: { 'application/json': as('Store') } },
};

const OURS = 'for `sluice logs` and `sluice search` with SLUICE_READ_URL; others do better with GET.';
/** What is posted: the questions of commands, which have no text any more. */
const POSTED: Readonly<Record<keyof typeof BODIES, Endpoint>> = {
  documents: {
    about: `Documents with their ids and places, ${OURS}`,
    content: {
      'application/x-ndjson': {
        schema: {
          ...text,
          description:
            'Lines of {"documents": [StoredDocument], "bytes": integer}; at its end ' +
            '{"is_last": boolean, "warnings": [string]}.',
        },
      },
    },
  },
  counts: {
    about: `How many documents there are, where the store knows without reading them, ${OURS}`,
    content: { 'application/json': as('Counts') },
  },
  rows: {
    about: `What is counted, measured or sorted of documents, ${OURS}`,
    content: { 'application/json': as('WholeTable') },
  },
  tail: {
    about: `What comes into the embedded store, a StoredDocument an event, ${OURS}`,
    content: { 'text/event-stream': { schema: text } },
  },
};

const REFUSALS: Readonly<Record<string, string>> = {
  400: 'The query or a parameter is wrong.',
  401: 'No token that is known came with the request.',
  403: 'The token is of another tenant, or a page in a browser asks.',
  429: 'Too many answers are made at once, or too many requests or wrong tokens came; ask later.',
  503: 'It took too long, or the store cannot be read now.',
};

export function openApiDocument(): Json {
  const refusals = Object.fromEntries(
    Object.entries(REFUSALS).map(([status, description]) => [
      status,
      { description, content: { 'application/json': as('Error') } },
    ]),
  );
  const paths = new Map<string, Json>();
  for (const [kind, { about, content }] of Object.entries(ENDPOINTS)) {
    const parameters = PARAMETERS[kind as keyof typeof PARAMETERS].map((name) => ({
      name,
      in: 'query',
      description: NAMES[name]?.about,
      schema: NAMES[name]?.schema,
    }));
    const responses = { 200: { description: about, content }, ...refusals };
    paths.set(kind, { get: { operationId: kind, summary: about, parameters, responses } });
  }
  for (const [kind, { about, content }] of Object.entries(POSTED)) {
    const schema = POSTED_SCHEMAS[kind as keyof typeof POSTED_SCHEMAS];
    const requestBody = { required: true, content: { 'application/json': { schema } } };
    const responses = { 200: { description: about, content }, ...refusals };
    const post = { operationId: `post_${kind}`, summary: about, requestBody, responses };
    paths.set(kind, { ...paths.get(kind), post });
  }
  return {
    openapi: '3.1.1',
    info: { title: 'Sluice read API', version: VERSION, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    paths: Object.fromEntries([...paths].map(([kind, operations]) => [`/api/${kind}`, operations])),
    components: {
      schemas: SCHEMAS,
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
    security: [{}, { token: [] }],
  };
}
