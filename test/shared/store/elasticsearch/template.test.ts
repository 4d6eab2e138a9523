// What the templates say: no value of a document that the indexer wrote may be more than the index takes, and each
// setting stands where the server reads it.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type Splitting, type TemplateOptions, templatesOf } from '#shared/store/elasticsearch/template.ts';

/** https://lucene.apache.org/core/10_0_0/core/org/apache/lucene/index/IndexWriter.html#MAX_TERM_LENGTH */
const TERM_BYTES_MAX = 32_766;
/** Elasticsearch counts UTF-16 units, of which each has at most so many bytes of UTF-8 (two of them have four). */
const UNIT_BYTES_MAX = 3;

interface Field {
  readonly type?: string;
  readonly analyzer?: string;
  readonly index?: boolean;
  readonly doc_values?: boolean;
  readonly ignore_above?: number;
  readonly properties?: Readonly<Record<string, Field>>;
}

interface Content {
  readonly settings: {
    readonly analysis: {
      readonly filter?: Readonly<Record<string, { readonly type: string; readonly length: number }>>;
      readonly analyzer: Readonly<Record<string, { readonly tokenizer: string; readonly filter: readonly string[] }>>;
    };
  };
  readonly mappings: Field;
}

function contentOf(name: string, options: TemplateOptions): unknown {
  const template = templatesOf(options).find((each) => each.name === name);
  assert(template);
  return (JSON.parse(template.body) as { template: unknown }).template;
}

const mappingsOf = (splitting: Splitting): Content => contentOf('sluice-logs@mappings', { splitting }) as Content;

function* fieldsOf(field: Field, path = ''): Generator<[string, Field]> {
  for (const [name, inner] of Object.entries(field.properties ?? {})) {
    yield [`${path}${name}`, inner];
    yield* fieldsOf(inner, `${path}${name}.`);
  }
}

it('bounds every term', () => {
  for (const [path, { type, index, doc_values: values, ignore_above: max, properties }] of fieldsOf(
    mappingsOf('exact').mappings,
  )) {
    if (properties !== undefined || ['text', 'date', 'date_nanos', 'long', 'integer', 'ip'].includes(type ?? ''))
      continue;
    if (index === false && values === false) continue;
    assert(type === 'keyword' || type === 'flattened', `${path} is of a type that nobody has thought about: ${type}`);
    assert(max !== undefined && max * UNIT_BYTES_MAX <= TERM_BYTES_MAX, `${path} may have a term that is too long`);
  }
});

it('bounds every word', () => {
  const { analysis } = mappingsOf('exact').settings;
  for (const [name, { filter }] of Object.entries(analysis.analyzer)) {
    const truncating = filter.map((each) => analysis.filter?.[each]).find((each) => each?.type === 'truncate');
    assert(
      truncating && truncating.length * UNIT_BYTES_MAX <= TERM_BYTES_MAX,
      `${name} may make words that are too long`,
    );
  }
  // Its own limit is 255 (max_token_length).
  for (const { tokenizer } of Object.values(mappingsOf('standard').settings.analysis.analyzer))
    assert.equal(tokenizer, 'standard');
});

it('says nothing of shards and refreshes that nobody asked for, and the index mode always', () => {
  const settings = { 'index.mode': 'standard', 'index.codec': 'best_compression' };
  assert.deepEqual(contentOf('sluice-logs@settings', { splitting: 'exact' }), { settings });
});

it('says all that is asked for, and has a fingerprint of it', () => {
  const layout = { mode: 'logsdb', shards: 3, replicas: 0, refreshIntervalMs: 5000 } as const;
  assert.deepEqual(contentOf('sluice-logs@settings', { splitting: 'exact', layout }), {
    settings: {
      'index.mode': 'logsdb',
      'index.codec': 'best_compression',
      'index.mapping.source.mode': 'stored',
      'index.refresh_interval': '5000ms',
      'index.number_of_shards': 3,
      'index.number_of_replicas': 0,
    },
  });
  const { settings: bare } = contentOf('sluice-logs@settings', {
    splitting: 'exact',
    numbers: 'compact',
    layout: { mode: 'logsdb', keepsOriginal: false },
  }) as Pick<Content, 'settings'>;
  assert.deepEqual(bare, { 'index.mode': 'logsdb', 'index.codec': 'best_compression' });
  const { settings: compact } = contentOf('sluice-logs@settings', { splitting: 'exact', numbers: 'compact' }) as Pick<
    Content,
    'settings'
  >;
  assert.deepEqual(compact, {
    'index.mode': 'standard',
    'index.codec': 'best_compression',
    'index.use_time_series_doc_values_format': true,
    'index.seq_no.index_options': 'doc_values_only',
  });
  const [before, after] = [{}, layout].map((each) => templatesOf({ splitting: 'exact', layout: each }));
  const isSame = before?.map(({ name, fingerprint }, at) => [name, fingerprint === after?.[at]?.fingerprint]);
  assert.deepEqual(isSame, [
    ['sluice-logs@mappings', false],
    ['sluice-logs@settings', false],
    ['sluice-logs', true],
  ]);
});
