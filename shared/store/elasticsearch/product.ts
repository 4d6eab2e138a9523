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

const NO_RIGHT =
  'Cannot tell whether it is OpenSearch that answers: `GET /` is refused (403); give the user cluster:monitor/main, ' +
  'see "Privileges in OpenSearch" in docs/operations.md';

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
    const isRoot = request.method === 'GET' && request.path === '/';
    const root = isRoot ? answer : await this.#root(request.signal);
    this.#known = productOf(root);
    if (this.#known.name !== 'OpenSearch' || !isJson(answer)) throw new SluiceError('store_refused', NO_STORE);
  }

  async ask(signal?: AbortSignal): Promise<Product> {
    if (this.#known !== null) return this.#known;
    const root = await this.#root(signal);
    // Elasticsearch refuses without its header, and who only reads from it need not have the right to ask. Whether it
    // is Elasticsearch shows with the first answer that is no refusal.
    if (root.status === 403) return { name: 'Elasticsearch', version: 'unknown' };
    return (this.#known = productOf(root));
  }
}

function productOf({ status, text, headers }: Answer): Product {
  const isElasticsearch = headers[HEADER] === 'Elasticsearch';
  if (status === 403) throw new SluiceError('store_unauthorized', NO_RIGHT);
  if (status !== 200) throw requestFailure(status, text);
  const version = /"number"\s*:\s*"([\w.-]+)"/.exec(text)?.[1] ?? 'unknown';
  if (isElasticsearch) return { name: 'Elasticsearch', version };
  if (/"distribution"\s*:\s*"opensearch"/.test(text)) return { name: 'OpenSearch', version };
  throw new SluiceError('store_refused', NO_STORE);
}

function isJson({ headers }: Answer): boolean {
  return String(headers['content-type'] ?? '').startsWith('application/json');
}
