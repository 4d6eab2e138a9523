// The index template `sluice-logs`: how documents are kept. Its fields are those of docs/documents.md. Pure.
//
// The mapping is closed (`dynamic: false`): a sender can neither add fields nor clash with them. What no field names is
// under `attributes`, a `flattened` field, which takes any shape. No single value can make a document fail that the
// indexer wrote.

import { createHash } from 'node:crypto';
import { WORD_MAX } from '../words.ts';

export const TEMPLATE_NAME = 'sluice-logs';
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

export interface TemplateOptions {
  readonly splitting: Splitting;
  /** How long the data stream lifecycle keeps documents; absent where the server has none. */
  readonly retentionMs?: number;
}

const CJK = String.raw`\p{IsHan}\p{IsHiragana}\p{IsKatakana}\p{IsHangul}`;
/** The rule of words.ts, in Java's words. */
const WORD_PATTERN = String.raw`[\p{L}\p{M}\p{N}&&[${CJK}]]|[\p{L}\p{M}\p{N}_&&[^${CJK}]]+`;

/**
 * A longer term than 32,766 bytes makes Lucene refuse the whole document, and a UTF-16 unit (by which Elasticsearch
 * counts in all three places) takes up to three bytes. A value of attributes is indexed once more behind its path of
 * keys and a NUL: the path has 8,192 bytes at most (json-value.ts), so that the longest term has 32,766.
 */
export const KEYWORD_MAX = 1024;
export const ATTRIBUTE_MAX = 8191;

const keyword = { type: 'keyword', ignore_above: KEYWORD_MAX };
const flattened = { type: 'flattened', ignore_above: ATTRIBUTE_MAX };
const objectOf = (properties: Record<string, unknown>) => ({ properties });

const mappings = {
  dynamic: false,
  properties: {
    '@timestamp': { type: 'date_nanos' },
    // Norms serve the ranking of hits; ours are ordered by time.
    message: { type: 'text', analyzer: 'sluice_text', norms: false },
    stream: keyword,
    log: objectOf({ level: keyword, flags: keyword }),
    container: objectOf({ id: keyword, name: keyword, image: objectOf({ name: keyword }) }),
    kubernetes: objectOf({
      namespace: keyword,
      pod: objectOf({ name: keyword, uid: keyword, ip: keyword }),
      container: objectOf({ name: keyword }),
      node: objectOf({ name: keyword }),
      labels: flattened,
      annotations: flattened,
    }),
    host: objectOf({ name: keyword }),
    service: objectOf({ name: keyword }),
    tenant: objectOf({ id: keyword }),
    fluentd: objectOf({ tag: keyword }),
    event: objectOf({ ingested: { type: 'date' }, sequence: { type: 'long' } }),
    attributes: flattened,
  },
};

/** The body of `PUT _index_template/sluice-logs`. Its `_meta.fingerprint` changes whenever anything in it does. */
export function indexTemplate(options: TemplateOptions): { readonly fingerprint: string; readonly body: string } {
  const { splitting, retentionMs } = options;
  const template = {
    settings: {
      // Said explicitly: some distributions would make it `logsdb`, which keeps documents another way.
      'index.mode': 'standard',
      'index.refresh_interval': '1s',
      analysis: analysis(splitting),
    },
    mappings,
    ...(retentionMs === undefined ? {} : { lifecycle: { data_retention: retentionText(retentionMs) } }),
  };
  const content = { index_patterns: STREAM_PATTERNS, priority: PRIORITY, data_stream: {}, template };
  const fingerprint = createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 16);
  return { fingerprint, body: JSON.stringify({ ...content, _meta: { managed_by: 'sluice', fingerprint } }) };
}

/** Whole milliseconds, as Elasticsearch writes durations. */
export function retentionText(retentionMs: number): string {
  return retentionMs % 86_400_000 === 0 ? `${retentionMs / 86_400_000}d` : `${retentionMs}ms`;
}

function analysis(splitting: Splitting): Record<string, unknown> {
  // The standard tokenizer cuts words at 255 by itself.
  if (splitting === 'standard') {
    return { analyzer: { sluice_text: { type: 'custom', tokenizer: 'standard', filter: ['lowercase'] } } };
  }
  return {
    tokenizer: { sluice_words: { type: 'pattern', pattern: WORD_PATTERN, group: 0 } },
    filter: { sluice_word: { type: 'truncate', length: WORD_MAX } },
    analyzer: { sluice_text: { type: 'custom', tokenizer: 'sluice_words', filter: ['lowercase', 'sluice_word'] } },
  };
}
