// The shapes of what `sluice` posts to the read API, and is answered, for the description of it (openapi.ts). A test
// holds them to what is read and written here. Pure.

import { PAGE_DOCUMENTS } from '#shared/store/pages.ts';

type Json = Readonly<Record<string, unknown>>;

const text: Json = { type: 'string' };
const truth: Json = { type: 'boolean' };
const texts: Json = { type: 'array', items: text };
const ref = (name: string): Json => ({ $ref: `#/components/schemas/${name}` });
const listOf = (items: Json): Json => ({ type: 'array', items });
const shape = (properties: Json, required = Object.keys(properties)): Json => ({
  type: 'object',
  required,
  properties,
});

const order: Json = { type: 'string', enum: ['newest', 'oldest'] };
const place: Json = {
  type: 'array',
  items: { type: ['string', 'integer'] },
  description: 'The `sort` of the document behind which it goes on.',
};
const count: Json = { type: 'integer', minimum: 1 };
const bound = shape({ number: text, inclusive: truth });
const FIELD: Json = { ...text, description: 'The path of a field in full: container.name, attributes.took.' };

const every: Json = {
  type: ['integer', 'null'],
  minimum: 1000,
  description: 'Spans of time in milliseconds; null: all together.',
};

/** Of one: `kind` says which of the others it has. */
const WHERE: Json = {
  type: 'object',
  required: ['kind'],
  description: 'What `q` is read as, as a tree; docs/search.md has the language.',
  properties: {
    kind: {
      type: 'string',
      // prettier-ignore
      enum: [
        'all', 'and', 'or', 'not', 'words', 'exists', 'text', 'equals', 'pattern', 'addresses', 'numbers', 'times',
      ],
    },
    nodes: { ...listOf(ref('Where')), description: 'Of and, or.' },
    node: { ...ref('Where'), description: 'Of not.' },
    field: { ...FIELD, description: 'Of all but words.' },
    text: { ...text, description: 'Of words and text: in one piece.' },
    prefix: { ...truth, description: 'Of words and text: the last word may go on.' },
    value: { ...text, description: 'Of equals: the whole value.' },
    as_number: { ...truth, description: 'Of equals: also where the number is written otherwise.' },
    pieces: { ...texts, description: 'Of pattern: anything stands between them.' },
    first: { ...text, description: 'Of addresses.' },
    last: { ...text, description: 'Of addresses, included.' },
    from: { ...bound, description: 'Of numbers.' },
    to: { ...bound, description: 'Of numbers.' },
    since_ns: { ...text, description: 'Of times: at or after, in nanoseconds since the epoch.' },
    until_ns: { ...text, description: 'Of times: before.' },
  },
};

const QUERY: Json = {
  type: 'object',
  description: 'All of it must apply.',
  properties: {
    since: { ...text, description: 'At or after, ISO 8601.' },
    until: { ...text, description: 'Before.' },
    ingested_since_ms: { type: 'number', description: '`event.ingested`, at or after.' },
    ingested_until_ms: { type: 'number', description: '`event.ingested`, before.' },
    name: { ...text, description: 'Of one container, service, pod or tag; `*` stands for anything.' },
    tenant: { ...text, description: 'Of this tenant alone. A token of a tenant reads no other one.' },
    container: { ...text, description: 'Of a container: its name, or the beginning of its id.' },
    text: { ...text, description: 'With all of these words.' },
    where: ref('Where'),
    by: {
      type: 'string',
      enum: ['arrival', 'arrival_time'],
      description: 'Bounds are of when a line came; arrival: so is the order.',
    },
  },
};

const names = { type: 'array', items: FIELD, minItems: 1, maxItems: 2 };
const STAGE: Json = {
  type: 'object',
  required: ['kind'],
  properties: {
    kind: { type: 'string', enum: ['stats', 'sort', 'fields', 'head'] },
    measures: {
      ...listOf(shape({ name: text, field: { anyOf: [names, { type: 'null' }] }, column: text })),
      description: 'Of stats.',
    },
    by: { ...shape({ fields: listOf(names), every_ms: every }), description: 'Of stats.' },
    keys: { ...listOf(shape({ name: text, descending: truth })), description: 'Of sort.' },
    names: { ...texts, description: 'Of fields.' },
    count: { type: 'integer', description: 'Of head.' },
  },
};

const warnings = texts;
const value: Json = {
  anyOf: [{ type: ['string', 'number', 'null'] }, shape({ number: { ...text, description: 'Such as Infinity.' } })],
};

export const STORED_SCHEMAS: Readonly<Record<string, Json>> = {
  Where: WHERE,
  Query: QUERY,
  Stage: STAGE,
  Store: shape({
    store: { type: 'string', enum: ['embedded', 'elasticsearch'] },
    version: text,
    found_after_ms: { type: 'number', description: 'How long a document may take until it is found.' },
  }),
  StoredDocument: shape({ id: text, index: text, sort: place, source: ref('Document') }),
  Counts: shape({
    counts: {
      anyOf: [listOf({ type: 'array', items: { type: 'integer' } }), { type: 'null' }],
      description: 'By the beginning of each span, ms since the epoch; null: all documents have to be read.',
    },
    warnings,
  }),
  WholeTable: shape({
    columns: texts,
    rows: listOf(listOf(value)),
    read: { type: 'integer', description: 'Documents.' },
    told: { ...texts, description: 'What whoever sees the rows should know.' },
    warnings,
  }),
};

/** By path: what is posted. */
export const POSTED_SCHEMAS: Readonly<Record<'documents' | 'counts' | 'rows' | 'tail', Json>> = {
  documents: shape({ query: ref('Query'), order, limit: { ...count, maximum: PAGE_DOCUMENTS }, after: place }, [
    'query',
    'order',
    'limit',
  ]),
  counts: shape({ query: ref('Query'), order, every_ms: every }, ['query', 'order']),
  rows: shape({ query: ref('Query'), order, stages: listOf(ref('Stage')), limit: count }, ['query', 'order', 'stages']),
  tail: shape({ query: ref('Query') }),
};
