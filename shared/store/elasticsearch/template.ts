// The index template `sluice-logs` and the component templates that it is composed of: how documents are kept. Its
// fields are those of docs/documents.md. Pure.
//
//   sluice-logs = sluice-logs@mappings (fields, text) + @settings (index mode, codec, shards, …) + @custom (the user's)
//
// The mapping is closed (`dynamic: false`): a sender can neither add fields nor clash with them. What no field names is
// under `attributes`, a `flattened` field, which takes any shape. No single value can make a document fail that the
// indexer wrote.

import { createHash } from 'node:crypto';
import { type EcsType, ecsFields } from '../ecs-fields.ts';
import { labelFields, originPaths } from '../origin-fields.ts';
import { openSearchContent } from '../opensearch/template.ts';
import { WORD_MAX } from '../words.ts';
import type { Product } from './product.ts';
import { wordPattern } from './word-pattern.ts';

export const TEMPLATE_NAME = 'sluice-logs';
export const MAPPINGS_NAME = `${TEMPLATE_NAME}@mappings`;
const SETTINGS_NAME = `${TEMPLATE_NAME}@settings`;
export const CUSTOM_NAME = `${TEMPLATE_NAME}@custom`;
/** Every data stream of Sluice, as an expression for requests. */
export const STREAM_PATTERNS: readonly string[] = ['logs-sluice-*', 'logs-sluice.*-*'];
export const DEFAULT_STREAM = 'logs-sluice-default';

/** Above Elastic's own `logs-*-*` (100), which would make other fields and another index mode of them. */
const PRIORITY = 250;

/**
 * How text is split. `exact` is the rule of words.ts and needs the server's module `analysis-common` (every
 * distribution has it); `standard` is the nearest that the bare server can do: it leaves "10.0.0.1" and "app.web"
 * whole.
 */
export type Splitting = 'exact' | 'standard';

/**
 * How numbers and dates are kept. `compact`, as logsdb does it by default: values of a column by their differences, and
 * no tree for the server's own sequence numbers. That takes 8 % less disk. OpenSearch and older versions of
 * Elasticsearch do not know the settings.
 */
type Numbers = 'compact' | 'plain';
const COMPACT_NUMBERS = {
  'index.use_time_series_doc_values_format': true,
  'index.seq_no.index_options': 'doc_values_only',
};

/** Without it a document with one field too many would be refused. */
const IGNORE_BEYOND_LIMIT = 'index.mapping.total_fields.ignore_dynamic_beyond_limit';

/** How an index is laid out. What is absent is left to the server. */
export interface IndexLayout {
  readonly mode?: 'standard' | 'logsdb';
  /** Whether documents have `event.original` (true unless given). */
  readonly keepsOriginal?: boolean;
  /** Whether the server puts sources together from fields in `logsdb`, which takes a licence (false unless given). */
  readonly hasSyntheticSource?: boolean;
  /** Whether documents have `numbers`, each name of which becomes a field (false unless given). */
  readonly hasNumberFields?: boolean;
  readonly shards?: number | undefined;
  readonly replicas?: number | undefined;
  readonly refreshIntervalMs?: number | undefined;
}

export interface TemplateOptions {
  readonly splitting: Splitting;
  /** Plain unless given. */
  readonly numbers?: Numbers;
  readonly layout?: IndexLayout;
  /** How long the data stream lifecycle keeps documents; absent where the server has none. */
  readonly retentionMs?: number;
  /** Elasticsearch unless given. */
  readonly product?: Product['name'];
}

/**
 * A longer term than 32,766 bytes makes Lucene refuse the whole document, and a UTF-16 unit (by which Elasticsearch
 * counts in all three places) takes up to three bytes. A value of attributes is indexed once more behind its path of
 * keys and a NUL: the path has 8,192 bytes at most (json-value.ts), so that the longest term has 32,766.
 */
/** A field of words alone: what is copied to it is in no document. */
export const WORDS_FIELD = 'words';
export const KEYWORD_MAX = 1024;
export const ATTRIBUTE_MAX = 8191;

/** A term for each number among the attributes (where-clauses.ts). Only looked up, so it needs no column of its own. */
export const ATTRIBUTE_NUMBERS = 'attribute_numbers';

/** Numbers of the attributes once more, as fields. */
export const NUMBER_FIELDS = 'numbers';

const keyword = { type: 'keyword', ignore_above: KEYWORD_MAX };
type Properties = Record<string, unknown>;
const objectOf = (properties: Properties) => ({ properties });
/**
 * Free text is looked for in `message`, in the attributes, in `log.level`, and in the words of these fields together.
 * The level has no copy (query.ts): with it, indexing a plain line took 4 % more of the processor.
 */
const found = { copy_to: WORDS_FIELD };
const text = { type: 'text', analyzer: 'sluice_text', norms: false };

function fieldOf(type: EcsType): object {
  // Of a text of any length, a stack trace above all, words are looked for; it is never sorted by.
  if (type === 'text') return text;
  if (type === 'keyword') return { ...keyword, ...found };
  return type === 'ip' ? { type, ignore_malformed: true, ...found } : { type };
}

/** A field at a path of objects in each other, which are made where there are none. */
function setField(properties: Properties, path: string, field: object): void {
  let inside = properties;
  const names = path.split('.');
  for (const name of names.slice(0, -1)) {
    const object = (inside[name] ??= objectOf({})) as ReturnType<typeof objectOf>;
    inside = object.properties;
  }
  inside[names.at(-1) ?? ''] = field;
}

/**
 * The only fields that are made when they come. Their names have no dot and their values are numbers, so that none
 * conflicts; what is beyond the index's limit of fields is ignored, and costs no document (settingsOf). Values of a
 * column are enough for charts.
 */
const numberFields = {
  properties: { [NUMBER_FIELDS]: { type: 'object', dynamic: true } },
  dynamic_templates: [
    {
      sluice_numbers: {
        path_match: `${NUMBER_FIELDS}.*`,
        mapping: { type: 'double', index: false, ignore_malformed: true },
      },
    },
  ],
};

function mappingsOf(layout: IndexLayout): object {
  const { mode, hasNumberFields = false } = layout;
  // A line and the message in it, side by side in what is compressed together: the message is then nearly free. Left to
  // itself, the server keeps them in two columns, which share nothing.
  const kept = isPutTogether(layout) && { store: true };
  const flattened = {
    type: 'flattened',
    ignore_above: ATTRIBUTE_MAX,
    // A source that is put together from its fields would have strings for numbers, and other keys.
    ...(mode === 'logsdb' && { synthetic_source_keep: 'all' }),
  };
  const properties = {
    '@timestamp': { type: 'date_nanos' },
    // Norms serve the ranking of hits; ours are ordered by time.
    message: { ...text, ...kept },
    [WORDS_FIELD]: text,
    stream: keyword,
    log: objectOf({ level: keyword, flags: keyword, lines: { type: 'long' } }),
    host: objectOf({ name: keyword }),
    service: objectOf({ name: keyword, version: keyword }),
    tenant: objectOf({ id: keyword }),
    fluentd: objectOf({ tag: keyword }),
    event: objectOf({
      ingested: { type: 'date' },
      created: { type: 'date_nanos' },
      // A page of a source's lines begins at a sequence: its tree of values finds it.
      sequence: { type: 'long' },
      severity: { type: 'long' },
      // It is kept and shown; its words are in the message and the fields.
      original: { type: 'keyword', index: false, doc_values: false, ...kept },
    }),
    attributes: flattened,
    [ATTRIBUTE_NUMBERS]: { type: 'keyword', doc_values: false, ignore_above: ATTRIBUTE_MAX },
  };
  for (const path of originPaths) setField(properties, path, keyword);
  for (const path of labelFields) setField(properties, path, flattened);
  for (const [path, type] of ecsFields) setField(properties, path, fieldOf(type));
  if (!hasNumberFields) return { dynamic: false, properties };
  const { dynamic_templates } = numberFields;
  return { dynamic: false, dynamic_templates, properties: { ...properties, ...numberFields.properties } };
}

/** What is put to `path`; `_meta.fingerprint` of its body changes whenever anything else in it does. */
export interface Template {
  readonly name: string;
  readonly path: string;
  readonly fingerprint: string;
  readonly body: string;
}

/**
 * The component templates, and behind them the index template that is composed of them, in the order in which they have
 * to be put. `sluice-logs@custom` comes last and wins; it is not among them.
 */
export function templatesOf(options: TemplateOptions): readonly Template[] {
  const { splitting, numbers = 'plain', retentionMs, layout = {}, product } = options;
  const templateOf = (kind: Kind, name: string, content: Record<string, unknown>): Template =>
    withFingerprint(kind, name, product === 'OpenSearch' ? openSearchContent(content) : content);
  const lifecycle = retentionMs === undefined ? {} : { lifecycle: { data_retention: retentionText(retentionMs) } };
  return [
    // With the analyzer that they name: a component template is checked alone.
    templateOf('_component_template', MAPPINGS_NAME, {
      template: { settings: { analysis: analysis(splitting) }, mappings: mappingsOf(layout) },
    }),
    templateOf('_component_template', SETTINGS_NAME, { template: { settings: settingsOf(layout, numbers) } }),
    templateOf('_index_template', TEMPLATE_NAME, {
      index_patterns: STREAM_PATTERNS,
      priority: PRIORITY,
      data_stream: {},
      composed_of: [MAPPINGS_NAME, SETTINGS_NAME, CUSTOM_NAME],
      template: lifecycle,
    }),
  ];
}

/** What the user's template begins as: it is made where there is none, and never put again. */
export const CUSTOM_TEMPLATE = {
  name: CUSTOM_NAME,
  path: `/_component_template/${CUSTOM_NAME}`,
  body: JSON.stringify({ template: {}, _meta: { description: 'Yours: `sluice setup` never overwrites it.' } }),
};

/** Whole milliseconds, as Elasticsearch writes durations. */
export function retentionText(retentionMs: number): string {
  return retentionMs % 86_400_000 === 0 ? `${retentionMs / 86_400_000}d` : `${retentionMs}ms`;
}

type Kind = '_component_template' | '_index_template';

function withFingerprint(kind: Kind, name: string, content: object): Template {
  const fingerprint = createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 16);
  const body = JSON.stringify({ ...content, _meta: { managed_by: 'sluice', fingerprint } });
  return { name, path: `/${kind}/${name}`, fingerprint, body };
}

/** Whether lines are kept beside their messages in documents that the server puts together. */
function isPutTogether({ mode, keepsOriginal = true, hasSyntheticSource = false }: IndexLayout): boolean {
  return mode === 'logsdb' && keepsOriginal && hasSyntheticSource;
}

function settingsOf(layout: IndexLayout, numbers: Numbers): object {
  const { mode = 'standard', keepsOriginal = true, shards, replicas, refreshIntervalMs } = layout;
  return {
    // Said explicitly: some distributions would make it `logsdb`, which keeps documents another way.
    'index.mode': mode,
    // About a quarter less disk; docs/benchmarks.md has what it costs, with all else.
    'index.codec': 'best_compression',
    ...(mode === 'standard' && numbers === 'compact' && COMPACT_NUMBERS),
    // Said where fields are not laid out for another: the user may buy a licence later.
    ...(mode === 'logsdb' && keepsOriginal && !isPutTogether(layout) && { 'index.mapping.source.mode': 'stored' }),
    // An index that says nothing is not refreshed while nobody searches, which saves segments and their merging.
    ...(refreshIntervalMs !== undefined && { 'index.refresh_interval': `${refreshIntervalMs}ms` }),
    ...(layout.hasNumberFields === true && { [IGNORE_BEYOND_LIMIT]: true }),
    ...(shards !== undefined && { 'index.number_of_shards': shards }),
    ...(replicas !== undefined && { 'index.number_of_replicas': replicas }),
  };
}

function analysis(splitting: Splitting): object {
  // The standard tokenizer cuts words at 255 by itself.
  if (splitting === 'standard') {
    return { analyzer: { sluice_text: { type: 'custom', tokenizer: 'standard', filter: ['lowercase'] } } };
  }
  return {
    tokenizer: { sluice_words: { type: 'simple_pattern', pattern: wordPattern() } },
    filter: { sluice_word: { type: 'truncate', length: WORD_MAX } },
    analyzer: { sluice_text: { type: 'custom', tokenizer: 'sluice_words', filter: ['lowercase', 'sluice_word'] } },
  };
}
