// Makes what documents need before the first of them comes: the templates, the default data stream, its retention.
// May run any number of times, also while documents come. Finds out what the server can do and takes the best of it.

import assert from 'node:assert/strict';
import { SluiceError } from '#shared/errors.ts';
import { requestFailure } from './bulk-answer.ts';
import { policyChange, POLICY_PATH, retentionPolicy } from '../opensearch/retention-policy.ts';
import type { Connection, HttpAnswer, HttpRequest } from './connection.ts';
import type { Product } from './product.ts';
import {
  CUSTOM_NAME,
  CUSTOM_TEMPLATE,
  DEFAULT_STREAM,
  type IndexLayout,
  retentionText,
  STREAM_PATTERNS,
  type Template,
  templatesOf,
} from './template.ts';

const TIMEOUT_MS = 30_000;
const LIFECYCLE_PATH = `/_data_stream/${STREAM_PATTERNS.join(',')}/_lifecycle`;
const TOKENIZER_UNKNOWN = /tokenizer|filter type/;
const NUMBERS_UNKNOWN = /index\.(use_time_series_doc_values_format|seq_no\.index_options)/;
const NO_EXACT_TEXT =
  'text: this Elasticsearch lacks the module analysis-common; its standard tokenizer is used, which leaves words ' +
  'such as 10.0.0.1 and app.web whole';

const NO_COMPACT_NUMBERS =
  'disk: this Elasticsearch does not know the settings by which numbers take less of it ' +
  '(index.use_time_series_doc_values_format, index.seq_no.index_options); documents take about 8 % more';

const NO_NUMBER_FIELDS =
  'fields: this server may refuse documents with a field too many, so that numbers of attributes get no fields ' +
  '(SLUICE_ELASTICSEARCH_NUMBER_FIELDS); they are found and compared as always';

const SOURCE_AS_IT_CAME =
  'disk: this Elasticsearch keeps documents as they came, as it does without a licence for synthetic source; in ' +
  'logsdb they take at least 12 % more';
/** A template that is never put. No index has such a name. */
const SIMULATED = {
  index_patterns: ['sluice-simulated-*'],
  // Of two templates for all indices, neither may have the priority of the other.
  priority: 2_147_483_000,
  data_stream: {},
  template: { settings: { 'index.mode': 'logsdb' } },
};

export interface SetupOptions {
  readonly retentionMs: number;
  readonly layout?: IndexLayout;
}

interface TemplateChoice {
  readonly product: Product['name'];
  readonly hasLifecycle: boolean;
}

/** One line for each thing that was done or found. */
export async function setUp(connection: Connection, options: SetupOptions): Promise<string[]> {
  const { name, version } = await connection.product();
  if (name === 'OpenSearch') return setUpOpenSearch(connection, options);
  const retention = retentionText(options.retentionMs);
  const hasLifecycle = await knowsLifecycle(connection);
  const lacksNumbers = options.layout?.hasNumberFields === true && !ignoresBeyondLimit(version);
  const isLogsdb = options.layout?.mode === 'logsdb';
  const hasSyntheticSource = isLogsdb && (await putsSourcesTogether(connection));
  const layout = { ...options.layout, ...(lacksNumbers && { hasNumberFields: false }), hasSyntheticSource };
  const lines = [
    ...(await putTemplates(connection, { ...options, layout, product: name, hasLifecycle })),
    ...(lacksNumbers ? [NO_NUMBER_FIELDS] : []),
    ...(isLogsdb && !hasSyntheticSource ? [SOURCE_AS_IT_CAME] : []),
    await makeStream(connection),
  ];
  if (hasLifecycle) {
    await must(connection, {
      method: 'PUT',
      path: LIFECYCLE_PATH,
      body: JSON.stringify({ data_retention: retention }),
    });
    lines.push(`retention: ${retention}, by the data stream lifecycle`);
  } else {
    lines.push(
      'retention: this Elasticsearch has no data stream lifecycle, so nothing is deleted; roll the data streams over ' +
        'and delete their old indices yourself',
    );
  }
  return lines;
}

/** From 8.14 on. Where nobody may know the version, it is not relied on. */
export function ignoresBeyondLimit(version: string): boolean {
  const [, major = 0, minor = 0] = (/^(\d+)\.(\d+)/.exec(version) ?? []).map(Number);
  return major > 8 || (major === 8 && minor >= 14);
}

/**
 * Whether an index in logsdb would have a synthetic source: where the licence has none, the server adds a setting to
 * what it is given. Where it does not tell, sources are kept as they came, which every server can.
 */
async function putsSourcesTogether(connection: Connection): Promise<boolean> {
  const request = { method: 'POST', path: '/_index_template/_simulate', body: JSON.stringify(SIMULATED) } as const;
  const { status, text } = await ask(connection, request);
  if (status === 429 || status >= 500) throw requestFailure(status, text);
  return status === 200 && !/"source":\{"mode":"(?!synthetic")/.test(text);
}

/** The policy comes before the data stream: the plugin looks for one when an index is made. */
async function setUpOpenSearch(connection: Connection, options: SetupOptions): Promise<string[]> {
  const layout = { ...options.layout, hasNumberFields: false };
  const lines = await putTemplates(connection, { ...options, layout, product: 'OpenSearch', hasLifecycle: false });
  if (options.layout?.hasNumberFields === true) lines.push(NO_NUMBER_FIELDS);
  if (options.layout?.mode === 'logsdb') lines.push('index mode: OpenSearch has no logsdb; indices are kept as usual');
  const retention = await putPolicy(connection, options.retentionMs);
  return [...lines, await makeStream(connection), retention];
}

async function putPolicy(connection: Connection, retentionMs: number): Promise<string> {
  const held = await ask(connection, { method: 'GET', path: POLICY_PATH });
  const text = `retention: ${retentionText(retentionMs)}, by the policy sluice-logs`;
  if (held.status === 400 && held.text.includes('no handler found')) {
    return (
      'retention: this OpenSearch lacks the plugin for index state management, so nothing is deleted; roll the data ' +
      'streams over and delete their old indices yourself'
    );
  }
  if (held.status !== 200 && held.status !== 404) throw requestFailure(held.status, held.text);
  const change = held.status === 404 ? '' : policyChange(held.text, retentionMs);
  if (change === null) return text;
  const body = JSON.stringify(retentionPolicy(retentionMs, STREAM_PATTERNS));
  const { status, text: said } = await ask(connection, { method: 'PUT', path: POLICY_PATH + change, body });
  if (status !== 200 && status !== 201) throw requestFailure(status, said);
  return `${text}, for indices that are made from now on`;
}

async function knowsLifecycle(connection: Connection): Promise<boolean> {
  const { status, text } = await ask(connection, { method: 'GET', path: LIFECYCLE_PATH });
  if (status === 200 || status === 404) return true;
  if (status === 400 && text.includes('no handler found')) return false;
  throw requestFailure(status, text);
}

async function putTemplates(
  connection: Connection,
  { retentionMs, layout = {}, product, hasLifecycle }: SetupOptions & TemplateChoice,
): Promise<string[]> {
  const given = { layout, product, ...(hasLifecycle && { retentionMs }) };
  // The index template names it, so it has to be there first.
  const lines = [await makeCustom(connection)];
  const nearestOf = templatesOf({ ...given, splitting: 'standard' });
  const numbers = product === 'OpenSearch' ? 'plain' : 'compact';
  for (const [at, template] of templatesOf({ ...given, splitting: 'exact', numbers }).entries()) {
    const nearest = nearestOf[at];
    assert(nearest, 'there are as many templates, whatever they say');
    const before = fingerprintOf(await ask(connection, { method: 'GET', path: template.path }));
    const answer = await putTemplate(connection, template, before);
    const lacks = nearest.body === template.body ? null : whatIsUnknown(answer);
    if (lacks === null) lines.push(lineOf(template, before, answer));
    else lines.push(lineOf(nearest, before, await putTemplate(connection, nearest, before)), lacks);
  }
  return lines;
}

/** What another template leaves out. What else is refused, such as the user's own tokenizer, must not pass. */
function whatIsUnknown({ status, text }: HttpAnswer): string | null {
  if (status !== 400) return null;
  if (NUMBERS_UNKNOWN.test(text)) return NO_COMPACT_NUMBERS;
  return TOKENIZER_UNKNOWN.test(text) ? NO_EXACT_TEXT : null;
}

async function putTemplate(connection: Connection, template: Template, before: string | null): Promise<HttpAnswer> {
  if (before === template.fingerprint) return { status: 200, text: '' };
  return ask(connection, { method: 'PUT', path: template.path, body: template.body });
}

function lineOf({ name, fingerprint }: Template, before: string | null, answer: HttpAnswer): string {
  if (answer.status !== 200) throw refusedTemplate(name, answer);
  if (before === fingerprint) return `template ${name}: unchanged`;
  if (before === null) return `template ${name}: made`;
  const rollover = `POST /${DEFAULT_STREAM}/_rollover`;
  return `template ${name}: changed; a data stream takes it up at its next rollover (${rollover})`;
}

/** What is the user's is made once, so that there is something to edit, and never touched again. */
async function makeCustom(connection: Connection): Promise<string> {
  const { name, path, body } = CUSTOM_TEMPLATE;
  const before = await ask(connection, { method: 'GET', path });
  if (before.status === 200) return `template ${name}: yours, left as it is`;
  if (before.status !== 404) throw requestFailure(before.status, before.text);
  const answer = await ask(connection, { method: 'PUT', path: `${path}?create=true`, body });
  // Another `setup`, or the user, may have been quicker.
  if (answer.status === 400 && answer.text.includes('already exists')) return `template ${name}: yours, left as it is`;
  if (answer.status !== 200) throw refusedTemplate(name, answer);
  return `template ${name}: made, for settings and fields of your own`;
}

function refusedTemplate(name: string, { status, text }: HttpAnswer): SluiceError {
  const failure = requestFailure(status, text);
  if (status !== 400) return failure;
  const what = `the template ${name} is refused; look at SLUICE_ELASTICSEARCH_INDEX_MODE, _SHARDS and _REPLICAS`;
  return new SluiceError(failure.code, `${failure.message}: ${what}, and at ${CUSTOM_NAME}, which comes on top`);
}

async function makeStream(connection: Connection): Promise<string> {
  const answer = await ask(connection, { method: 'PUT', path: `/_data_stream/${DEFAULT_STREAM}` });
  if (answer.status === 200) return `data stream ${DEFAULT_STREAM}: made`;
  if (answer.status === 400 && answer.text.includes('resource_already_exists_exception')) {
    return `data stream ${DEFAULT_STREAM}: is there`;
  }
  throw requestFailure(answer.status, answer.text);
}

function fingerprintOf(answer: HttpAnswer): string | null {
  if (answer.status === 404) return null;
  if (answer.status !== 200) throw requestFailure(answer.status, answer.text);
  return /"fingerprint":"([0-9a-f]+)"/.exec(answer.text)?.[1] ?? '';
}

function ask(connection: Connection, request: Omit<HttpRequest, 'timeoutMs'>): Promise<HttpAnswer> {
  return connection.request({ ...request, timeoutMs: TIMEOUT_MS });
}

async function must(connection: Connection, request: Omit<HttpRequest, 'timeoutMs'>): Promise<void> {
  const answer = await ask(connection, request);
  if (answer.status !== 200) throw requestFailure(answer.status, answer.text);
}
