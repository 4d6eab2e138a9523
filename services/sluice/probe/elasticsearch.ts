// Asks each of the configured Elasticsearch nodes separately, and one of them for what `sluice setup` makes.

import type { Config } from '#shared/config/settings.ts';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import { maskedUrl } from '#shared/config/value-text.ts';
import { Connection } from '#shared/store/elasticsearch/connection.ts';
import { loginOf } from '#shared/store/elasticsearch/login.ts';
import { requestFailure } from '#shared/store/elasticsearch/bulk-answer.ts';
import { MAPPINGS_NAME, TEMPLATE_NAME } from '#shared/store/elasticsearch/template.ts';
import type { Finding } from './report.ts';

const TIMEOUT_MS = 5000;

export async function probeElasticsearch(config: Config): Promise<Finding[]> {
  const urls = config['elasticsearch.url'] ?? [];
  const nodes = await Promise.all(urls.map((url) => probeNode(config, url)));
  const answering = urls.find((_, i) => nodes[i]?.outcome === 'ok');
  return answering === undefined ? nodes : [...nodes, await probeTemplate(config, answering)];
}

async function probeNode(config: Config, url: string): Promise<Finding> {
  const thing = `Elasticsearch at ${maskedUrl(url)}`;
  try {
    await using connection = connectionTo(config, url);
    await ask(connection, '/');
    const { name, version } = await connection.product();
    return { thing, outcome: 'ok', text: `answers, ${name} ${version}` };
  } catch (error) {
    if (!(error instanceof SluiceError) || error.code === 'config_invalid') throw error;
    const what = error.code === 'store_unauthorized' ? LOGIN : REACH;
    return { thing, outcome: 'failed', text: `${reasonOf(error)}; ${what}` };
  }
}

const REACH = 'look at SLUICE_ELASTICSEARCH_URL, SLUICE_ELASTICSEARCH_CA, and whether the node runs';
const LOGIN = 'look at SLUICE_ELASTICSEARCH_API_KEY, or _USERNAME and _PASSWORD';

async function probeTemplate(config: Config, url: string): Promise<Finding> {
  const thing = `Elasticsearch template ${TEMPLATE_NAME}`;
  try {
    const template = await get(config, url, `/_index_template/${TEMPLATE_NAME}`);
    if (template.includes(MAPPINGS_NAME)) return { thing, outcome: 'ok', text: 'is there' };
    return { thing, outcome: 'weak', text: 'is of an older version: run `sluice setup`' };
  } catch (error) {
    const missing = error instanceof SluiceError && error.message.includes(' answered 404');
    const text = missing ? 'is not there: run `sluice setup`' : `cannot be read: ${reasonOf(error)}`;
    // An indexer needs no right to read templates.
    return { thing, outcome: missing ? 'failed' : 'weak', text };
  }
}

async function get(config: Config, url: string, path: string): Promise<string> {
  await using connection = connectionTo(config, url);
  return await ask(connection, path);
}

function connectionTo(config: Config, url: string): Connection {
  return new Connection({ urls: [url], ...loginOf(config), connections: 1, timeoutMsMax: TIMEOUT_MS });
}

async function ask(connection: Connection, path: string): Promise<string> {
  const { status, text } = await connection.request({ method: 'GET', path, timeoutMs: TIMEOUT_MS });
  if (status !== 200) throw requestFailure(status, text);
  return text;
}
