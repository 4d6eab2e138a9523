// Which product answers: Elasticsearch says so in a header of each answer, OpenSearch only in that to `GET /`. Anything
// else (a proxy's page, another program on the port) must not be taken for a store, whatever its answers look like.
//
//   x-elastic-product: Elasticsearch                    ─► Elasticsearch
//   none, 2xx, JSON; `GET /` says version.distribution  ─► OpenSearch, for all answers without that header
//   none, 2xx, other                                    ─► store_refused
//
// Guarantee: no 2xx is believed that neither of the two gave. Other answers are not looked at: they are believed anyway
// as far as that something refuses.

import { SluiceError } from '#shared/errors.ts';
import { requestFailure } from './bulk-answer.ts';

export interface Product {
  readonly name: 'Elasticsearch' | 'OpenSearch';
  /** "unknown" where the user may not ask. */
  readonly version: string;
}

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly signal?: AbortSignal | undefined;
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, string | string[] | null | undefined>>;
}

const HEADER = 'x-elastic-product';
const NO_STORE =
  'Cannot talk to Elasticsearch: what answers is neither Elasticsearch nor OpenSearch; look at ' +
  `SLUICE_ELASTICSEARCH_URL, and whether a proxy removes the header ${HEADER}`;

export class ProductCheck {
  readonly #root: (signal?: AbortSignal) => Promise<Answer>;
  #known: Product | null = null;

  /** `root`: asks for `GET /`. */
  constructor(root: (signal?: AbortSignal) => Promise<Answer>) {
    this.#root = root;
  }

  /** Rejects where the answer is not one of a store. */
  async check(request: Asked, answer: Answer): Promise<void> {
    if (answer.headers[HEADER] === 'Elasticsearch') {
      // What stands behind the address may have been replaced.
      if (this.#known?.name === 'OpenSearch') this.#known = null;
      return;
    }
    if (answer.status < 200 || answer.status >= 300) return;
    if (this.#known?.name === 'OpenSearch' && isJson(answer)) return;
    const root = request.method === 'GET' && request.path === '/' ? answer : await this.#root(request.signal);
    this.#known = productOf(root);
    if (this.#known.name !== 'OpenSearch' || !isJson(answer)) throw new SluiceError('store_refused', NO_STORE);
  }

  async ask(signal?: AbortSignal): Promise<Product> {
    return (this.#known ??= productOf(await this.#root(signal)));
  }
}

function productOf({ status, text, headers }: Answer): Product {
  const isElasticsearch = headers[HEADER] === 'Elasticsearch';
  // It says what it is even to those who may not ask for more.
  if (isElasticsearch && (status === 401 || status === 403)) return { name: 'Elasticsearch', version: 'unknown' };
  if (status !== 200) throw requestFailure(status, text);
  const version = /"number"\s*:\s*"([\w.-]+)"/.exec(text)?.[1] ?? 'unknown';
  if (isElasticsearch) return { name: 'Elasticsearch', version };
  if (/"distribution"\s*:\s*"opensearch"/.test(text)) return { name: 'OpenSearch', version };
  throw new SluiceError('store_refused', NO_STORE);
}

function isJson({ headers }: Answer): boolean {
  return String(headers['content-type'] ?? '').startsWith('application/json');
}
