// Makes the data view in Kibana, by its API. What is there already is left as it is: somebody may have changed it.
//
//   GET  /api/data_views/data_view/sluice-logs   200: is there; 404: is not
//   POST /api/data_views/data_view               made; 400 where another `setup` was quicker
//
// `override`, which that call has too, is not used: some versions answer it with a conflict.
// https://www.elastic.co/docs/api/doc/kibana/operation/operation-createdataviewdefaultw

import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Config } from '#shared/config/settings.ts';
import { maskedUrl } from '#shared/config/value-text.ts';
import { type ErrorCode, reasonOf, SluiceError } from '#shared/errors.ts';
import { DATA_VIEW_ID, dataViewBody } from './data-view.ts';

const TIMEOUT_MS = 30_000;
const PATH = '/api/data_views/data_view';
/** A data view comes with its fields. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;
const SAID_LENGTH_MAX = 300;
/** A page of somebody else has it not, and must not look like a data view. */
const ANSWER = '"data_view"';

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** One line for each thing that was done or found. */
export async function setUpKibana(config: Config): Promise<string[]> {
  const kibana = new Kibana(config);
  const thing = `Kibana data view ${DATA_VIEW_ID}`;
  if (await isThere(kibana)) return [`${thing}: is there`];
  const made = await kibana.ask('POST', PATH, dataViewBody());
  if (made.status === 200 && made.text.includes(ANSWER)) return [`${thing}: made`];
  if (made.status === 400 && (await isThere(kibana))) return [`${thing}: is there`];
  throw kibana.failure(made);
}

async function isThere(kibana: Kibana): Promise<boolean> {
  const found = await kibana.ask('GET', `${PATH}/${DATA_VIEW_ID}`);
  if (found.status === 200 && found.text.includes(ANSWER)) return true;
  if (found.status === 404 && found.text.includes(DATA_VIEW_ID)) return false;
  throw kibana.failure(found);
}

class Kibana {
  readonly #url: URL;
  readonly #authorization: string | undefined;
  readonly #ca: string | undefined;

  constructor(config: Config) {
    this.#url = baseOf(config['kibana.url'] ?? '');
    this.#authorization = authorizationOf(config, this.#url);
    this.#ca = caOf(config);
  }

  async ask(method: 'GET' | 'POST', path: string, body?: string): Promise<Answer> {
    const { protocol, hostname, port, pathname } = this.#url;
    const options = {
      method,
      hostname: hostname.replace(/^\[(.*)\]$/, '$1'),
      port,
      // After a base path, or a space (`/s/team`).
      path: pathname.replace(/\/$/, '') + path,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: {
        accept: 'application/json',
        'kbn-xsrf': 'sluice',
        ...(this.#authorization !== undefined && { authorization: this.#authorization }),
        ...(body !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
      },
      ...(this.#ca !== undefined && { ca: this.#ca }),
    };
    try {
      return await new Promise<Answer>((resolve, reject) => {
        const request = (protocol === 'https:' ? httpsRequest : httpRequest)(options, (answer) => {
          textOf(answer).then((said) => resolve({ status: answer.statusCode ?? 0, text: said }), reject);
        });
        request.on('error', reject).end(body);
      });
    } catch (error) {
      throw this.#error(
        'store_unavailable',
        `${reasonOf(error)}; look at SLUICE_KIBANA_URL and SLUICE_KIBANA_CA`,
        error,
      );
    }
  }

  failure({ status, text: said }: Answer): SluiceError {
    const reason = `it answered ${status}${reasonIn(said)}`;
    if (status === 401 || status === 403) {
      const login = 'look at SLUICE_KIBANA_API_KEY, or _USERNAME and _PASSWORD, and at the rights to manage data views';
      return this.#error('store_unauthorized', `${reason}; ${login}`);
    }
    if (status >= 500 || status === 429) return this.#error('store_unavailable', `${reason}; wait until it is ready`);
    return this.#error(
      'store_refused',
      `${reason}; see whether SLUICE_KIBANA_URL is Kibana's address, base path included`,
    );
  }

  #error(code: ErrorCode, what: string, cause?: unknown): SluiceError {
    return new SluiceError(code, `Cannot make a data view in Kibana at ${maskedUrl(this.#url.href)}: ${what}`, {
      cause,
    });
  }
}

function baseOf(given: string): URL {
  const url = URL.parse(given);
  if (url !== null && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === '') return url;
  const like = 'give one like https://kibana.example:5601';
  throw new SluiceError(
    'config_invalid',
    `Cannot use SLUICE_KIBANA_URL: "${maskedUrl(given)}" is no such URL; ${like}`,
  );
}

/** Its own login, else that of Elasticsearch, which Kibana passes on. */
function authorizationOf(config: Config, url: URL): string | undefined {
  const basic = (user: string, password = ''): string =>
    `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  if (config['kibana.api_key'] !== undefined) return `ApiKey ${config['kibana.api_key']}`;
  if (config['kibana.username'] !== undefined) return basic(config['kibana.username'], config['kibana.password']);
  if (url.username !== '') return basic(decoded(url.username), decoded(url.password));
  if (config['elasticsearch.api_key'] !== undefined) return `ApiKey ${config['elasticsearch.api_key']}`;
  if (config['elasticsearch.bearer_token'] !== undefined) return `Bearer ${config['elasticsearch.bearer_token']}`;
  const user = config['elasticsearch.username'];
  return user === undefined ? undefined : basic(user, config['elasticsearch.password']);
}

/** A password may hold a `%` that begins nothing. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function caOf(config: Config): string | undefined {
  const name = config['kibana.ca'] === undefined ? 'elasticsearch.ca' : 'kibana.ca';
  const file = config[name];
  try {
    return file === undefined ? undefined : readFileSync(file, 'utf8');
  } catch (error) {
    throw new SluiceError('config_invalid', `Cannot read ${name}: ${reasonOf(error)}`, { cause: error });
  }
}

async function textOf(answer: AsyncIterable<Buffer>): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of answer) {
    bytes += piece.length;
    if (bytes > ANSWER_BYTES_MAX) throw new Error(`its answer has more than ${ANSWER_BYTES_MAX} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces, bytes).toString('utf8');
}

/** What Kibana says in its JSON, or nothing. */
function reasonIn(said: string): string {
  const reason = /"message"\s*:\s*"((?:[^"\\]|\\.)*)"/.exec(said)?.[1];
  return reason === undefined ? '' : ` (${reason.slice(0, SAID_LENGTH_MAX)})`;
}
