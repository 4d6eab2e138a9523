// HTTP to Elasticsearch or OpenSearch: the only file that knows @elastic/elasticsearch. One request, one deadline, no
// second tries.
//
// What we leave out of the client, and why: its retries (they repeat what must be repeated with care), its sniffing
// (addresses behind a proxy differ), its bulk helper (it can lose a batch), its JSON codec (a bulk answer is
// looked at as text), its timeouts (they cover the wait for the headers only; ours covers the answer to its last byte).
//
// The client itself refuses all but Elasticsearch. Ours does so in ProductCheck, which knows OpenSearch too.
//
// Guarantees: a failure without a whole answer rejects with a store_* error; every whole answer is returned, whatever
// its status says; a Buffer goes to the socket as it is, neither copied nor looked at.

import { readFileSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { addAbortSignal, type Readable } from 'node:stream';
import { Client, type ClientOptions, errors, HttpConnection, SniffingTransport } from '@elastic/elasticsearch';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import { PinnedAgent } from '#shared/net/pinned-agent.ts';
import { Credentials, type Login } from './login.ts';
import { type Product, ProductCheck } from './product.ts';

export interface ConnectionOptions extends Login {
  readonly urls: readonly string[];
  /** The most requests at once; each has a connection of its own that is kept. */
  readonly connections: number;
  /** The longest that any request will be given. */
  readonly timeoutMsMax: number;
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With its query string. */
  readonly path: string;
  readonly body?: Buffer | string;
  readonly contentType?: string;
  readonly timeoutMs: number;
  /** A longer answer rejects with AnswerTooLong; one that is longer than any should be, with store_timeout. */
  readonly answerBytesMax?: number;
  /** Its abort rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

interface Headed {
  readonly headers: Readonly<Record<string, string | string[] | null | undefined>>;
}

/**
 * No answer of Elasticsearch to what we ask is longer. A document is less than a request may be: 100 MiB by default.
 */
export const ANSWER_BYTES_MAX = 256 * 1024 * 1024;
/** Shorter than the idle limits of common load balancers, so that we close first. */
const KEEP_ALIVE_MS = 50_000;
const ROOT_TIMEOUT_MS = 5000;
const RESET = /socket hang up|ECONNRESET|EPIPE|^(read|write) |Response aborted|Connection closed/;

/** The answer has more bytes than the request takes: less must be asked for. */
export class AnswerTooLong extends Error {
  constructor(bytesMax: number) {
    super(`the answer is longer than ${bytesMax} bytes`);
  }
}

type TransportOptions = ConstructorParameters<typeof SniffingTransport>[0];

/** Leaves the check of the product, and media types that only Elasticsearch knows, to us. */
class AnyProduct extends SniffingTransport {
  constructor(given: TransportOptions) {
    const options = { ...given };
    delete options.productCheck;
    delete options.vendoredHeaders;
    super(options);
  }
}

export class Connection implements AsyncDisposable {
  readonly #client: Client;
  readonly #credentials: Credentials;
  readonly #product = new ProductCheck((signal) =>
    this.#send({ method: 'GET', path: '/', timeoutMs: ROOT_TIMEOUT_MS, signal }),
  );

  constructor(options: ConnectionOptions) {
    this.#credentials = new Credentials(options);
    try {
      refusePlain(options);
      this.#client = new Client(clientOptions(options));
    } catch (error) {
      throw new SluiceError('config_invalid', `Cannot use elasticsearch.url: ${reasonOf(error)}`, { cause: error });
    }
  }

  async request(request: HttpRequest): Promise<HttpAnswer> {
    const answer = await this.#send(request);
    await this.#product.check(request, answer);
    return { status: answer.status, text: answer.text };
  }

  /** Who answers, as it says itself; asked for once. Rejects as `request` does. */
  product(signal?: AbortSignal): Promise<Product> {
    return this.#product.ask(signal);
  }

  async #send(request: HttpRequest): Promise<HttpAnswer & Headed> {
    const deadline = AbortSignal.timeout(request.timeoutMs);
    const signal = request.signal === undefined ? deadline : AbortSignal.any([deadline, request.signal]);
    let answered = false;
    try {
      const { statusCode, headers, body, meta } = await this.#client.transport.request<Readable>(
        { method: request.method, path: request.path, ...(request.body === undefined ? {} : { body: request.body }) },
        { meta: true, asStream: true, maxRetries: 0, signal, headers: this.#headersOf(request) },
      );
      answered = true;
      // The client heeds the signal until the headers are there.
      const text = await readText(addAbortSignal(signal, body), request.answerBytesMax ?? ANSWER_BYTES_MAX);
      // The client does this only for answers that it reads itself.
      if (meta.connection !== null) this.#client.connectionPool.markAlive(meta.connection);
      return { status: statusCode, text, headers };
    } catch (error) {
      request.signal?.throwIfAborted();
      if (error instanceof AnswerTooLong && request.answerBytesMax !== undefined) throw error;
      throw failureOf(error, { timedOut: deadline.aborted, answered, timeoutMs: request.timeoutMs });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
  }

  /** Who we are is told with each request: a key may be replaced at any time. */
  #headersOf(request: HttpRequest): Record<string, string> {
    const authorization = this.#credentials.authorization();
    return {
      accept: 'application/json',
      ...(authorization !== undefined && { authorization }),
      ...(request.body !== undefined && { 'content-type': request.contentType ?? 'application/json' }),
    };
  }
}

function clientOptions(options: ConnectionOptions): ClientOptions {
  return {
    nodes: [...options.urls],
    maxRetries: 0,
    // Above every deadline of ours, so that it never decides.
    requestTimeout: options.timeoutMsMax + 5000,
    sniffOnStart: false,
    sniffInterval: false,
    sniffOnConnectionFault: false,
    compression: false,
    enableMetaHeader: false,
    // By default an error has a copy of the request, with each byte of its body as a property: that takes seconds.
    redaction: { type: 'remove' },
    // Node's own HTTP client, which is there anyway; undici, the client's default, takes 27 MB and 60 ms of the start.
    Connection: HttpConnection,
    Transport: AnyProduct,
    agent: ({ url, tls }) => {
      const keeping = { keepAlive: true, maxSockets: options.connections, timeout: KEEP_ALIVE_MS };
      if (url.protocol !== 'https:') return new HttpAgent(keeping);
      const { caFingerprint } = options;
      return caFingerprint === undefined
        ? new HttpsAgent({ ...keeping, ...tls })
        : new PinnedAgent(caFingerprint, { ...keeping, ...tls });
    },
    tls: tlsOptions(options),
  };
}

/** In the clear nobody shows a certificate. */
function refusePlain({ urls, caFingerprint }: ConnectionOptions): void {
  if (caFingerprint !== undefined && urls.some((url) => !/^https:/i.test(url)))
    throw new Error('where elasticsearch.ca_fingerprint is set, each begins with https://');
}

function tlsOptions({ caFile, certFile, keyFile }: Login) {
  return {
    ...(caFile !== undefined && { ca: readPem('elasticsearch.ca', caFile) }),
    ...(certFile !== undefined && { cert: readPem('elasticsearch.cert', certFile) }),
    ...(keyFile !== undefined && { key: readPem('elasticsearch.key', keyFile) }),
  };
}

function readPem(setting: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new SluiceError('config_invalid', `Cannot read ${setting}: ${reasonOf(error)}`, { cause: error });
  }
}

async function readText(body: AsyncIterable<Buffer>, bytesMax: number): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of body) {
    bytes += piece.length;
    if (bytes > bytesMax) throw new AnswerTooLong(bytesMax);
    pieces.push(piece);
  }
  return Buffer.concat(pieces, bytes).toString('utf8');
}

function failureOf(error: unknown, state: { timedOut: boolean; answered: boolean; timeoutMs: number }): SluiceError {
  const because = (what: string) => `Cannot talk to Elasticsearch: ${what}`;
  if (state.timedOut || error instanceof errors.TimeoutError) {
    return new SluiceError('store_timeout', because(`no answer within ${state.timeoutMs} ms`), { cause: error });
  }
  if (state.answered) {
    return new SluiceError('store_timeout', because(`the answer was cut off (${reasonOf(error)})`), { cause: error });
  }
  // Sent perhaps, and being done perhaps by other nodes: as without an answer in time.
  const code = wasReset(error) ? 'store_timeout' : 'store_unavailable';
  return new SluiceError(code, because(reasonOf(error)), { cause: error });
}

/**
 * Whether a connection that was open has ended, other than one that was never made. The client keeps of the error its
 * words only.
 */
function wasReset(error: unknown): boolean {
  return error instanceof errors.ConnectionError && RESET.test(error.message);
}
