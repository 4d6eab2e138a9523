// Makes what documents need before the first of them comes: the template, the default data stream, its retention.
// May run any number of times, also while documents come. Finds out what the server can do and takes the best of it.

import { requestFailure } from './bulk-answer.ts';
import type { Connection, HttpAnswer, HttpRequest } from './connection.ts';
import {
  DEFAULT_STREAM,
  indexTemplate,
  retentionText,
  type Splitting,
  STREAM_PATTERNS,
  TEMPLATE_NAME,
} from './template.ts';

const TIMEOUT_MS = 30_000;
const TEMPLATE_PATH = `/_index_template/${TEMPLATE_NAME}`;
const LIFECYCLE_PATH = `/_data_stream/${STREAM_PATTERNS.join(',')}/_lifecycle`;

export interface SetupOptions {
  readonly retentionMs: number;
}

/** One line for each thing that was done or found. */
export async function setUp(connection: Connection, options: SetupOptions): Promise<string[]> {
  const retention = retentionText(options.retentionMs);
  const hasLifecycle = await knowsLifecycle(connection);
  const template = await putTemplate(connection, hasLifecycle ? options.retentionMs : undefined);
  const lines = [...template, await makeStream(connection)];
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

async function knowsLifecycle(connection: Connection): Promise<boolean> {
  const { status, text } = await ask(connection, { method: 'GET', path: LIFECYCLE_PATH });
  if (status === 200 || status === 404) return true;
  if (status === 400 && text.includes('no handler found')) return false;
  throw requestFailure(status, text);
}

async function putTemplate(connection: Connection, retentionMs: number | undefined): Promise<string[]> {
  const before = fingerprintOf(await ask(connection, { method: 'GET', path: TEMPLATE_PATH }));
  const exact = await tryTemplate(connection, 'exact', retentionMs, before);
  if (exact !== null) return [exact];
  const standard = await tryTemplate(connection, 'standard', retentionMs, before);
  return [
    standard ?? '',
    'text: this Elasticsearch lacks the module analysis-common; its standard tokenizer is used, which leaves words ' +
      'such as 10.0.0.1 and app.web whole',
  ];
}

/**
 * Null where the server does not know the tokenizer. Template changes reach a data stream with its next backing index.
 */
async function tryTemplate(
  connection: Connection,
  splitting: Splitting,
  retentionMs: number | undefined,
  before: string | null,
): Promise<string | null> {
  const { fingerprint, body } = indexTemplate({ splitting, ...(retentionMs === undefined ? {} : { retentionMs }) });
  if (before === fingerprint) return `template ${TEMPLATE_NAME}: unchanged`;
  const answer = await ask(connection, { method: 'PUT', path: TEMPLATE_PATH, body });
  if (splitting === 'exact' && answer.status === 400 && answer.text.includes('tokenizer')) return null;
  if (answer.status !== 200) throw requestFailure(answer.status, answer.text);
  if (before === null) return `template ${TEMPLATE_NAME}: made`;
  const rollover = `POST /${DEFAULT_STREAM}/_rollover`;
  return `template ${TEMPLATE_NAME}: changed; a data stream takes it up at its next rollover (${rollover})`;
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
