// What the template says about lengths: no value of a document that the indexer wrote may be more than the index takes.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { indexTemplate, type Splitting } from '#shared/store/elasticsearch/template.ts';

/** https://lucene.apache.org/core/10_0_0/core/org/apache/lucene/index/IndexWriter.html#MAX_TERM_LENGTH */
const TERM_BYTES_MAX = 32_766;
/** Elasticsearch counts UTF-16 units, of which each has at most so many bytes of UTF-8 (two of them have four). */
const UNIT_BYTES_MAX = 3;

interface Field {
  readonly type?: string;
  readonly analyzer?: string;
  readonly ignore_above?: number;
  readonly properties?: Readonly<Record<string, Field>>;
}

interface Template {
  readonly template: {
    readonly settings: {
      readonly analysis: {
        readonly filter?: Readonly<Record<string, { readonly type: string; readonly length: number }>>;
        readonly analyzer: Readonly<Record<string, { readonly tokenizer: string; readonly filter: readonly string[] }>>;
      };
    };
    readonly mappings: Field;
  };
}

const templateOf = (splitting: Splitting): Template['template'] =>
  (JSON.parse(indexTemplate({ splitting }).body) as Template).template;

function* fieldsOf(field: Field, path = ''): Generator<[string, Field]> {
  for (const [name, inner] of Object.entries(field.properties ?? {})) {
    yield [`${path}${name}`, inner];
    yield* fieldsOf(inner, `${path}${name}.`);
  }
}

it('bounds every term', () => {
  for (const [path, { type, ignore_above: max, properties }] of fieldsOf(templateOf('exact').mappings)) {
    if (properties !== undefined || ['text', 'date', 'date_nanos', 'long'].includes(type ?? '')) continue;
    assert(type === 'keyword' || type === 'flattened', `${path} is of a type that nobody has thought about: ${type}`);
    assert(max !== undefined && max * UNIT_BYTES_MAX <= TERM_BYTES_MAX, `${path} may have a term that is too long`);
  }
});

it('bounds every word', () => {
  const { analysis } = templateOf('exact').settings;
  for (const [name, { filter }] of Object.entries(analysis.analyzer)) {
    const truncating = filter.map((each) => analysis.filter?.[each]).find((each) => each?.type === 'truncate');
    assert(
      truncating && truncating.length * UNIT_BYTES_MAX <= TERM_BYTES_MAX,
      `${name} may make words that are too long`,
    );
  }
  // Its own limit is 255 (max_token_length).
  for (const { tokenizer } of Object.values(templateOf('standard').settings.analysis.analyzer))
    assert.equal(tokenizer, 'standard');
});
