// Asks the read API of another Sluice: over HTTP or HTTPS, with the token of its reader. What goes wrong is one error
// that says where, and what to do about it.
//
// Guarantees: the token goes to the address that was given and nowhere else (no redirect is followed); no answer that
// was broken off passes for a whole one; what is held of an answer is bounded. While there are as many searches there
// as may be, it is asked again when it says, for a limited time.

import { readFileSync } from 'node:fs';
import { Agent as HttpAgent, type IncomingMessage, request as httpRequest, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { noAnswer } from '#shared/net/own-connection.ts';
import type { Clock } from '#shared/clock.ts';
import { maskedUrl } from '#shared/config/value-text.ts';
import { type ErrorCode, errorTable, reasonOf, SluiceError } from '#shared/errors.ts';

export interface ReadClientOptions {
  /** http://, https:// or unix:/path. */
  readonly url: string;
  readonly token?: string | undefined;
  /** File of the certificates that the server is trusted by. */
  readonly caFile?: string | undefined;
  readonly clock: Clock;
}

export interface Question {
  /** Below /api/. */
  readonly path: string;
  /** Posted as JSON; absent: the answer is got. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** How long it may be until the answer begins; absent: as long as it takes there. */
  readonly beginsMs?: number;
}

/** A page of the store, or its largest document, and as much again. */
const ANSWER_BYTES_MAX = 512 * 1024 * 1024;
const ERROR_BYTES_MAX = 64 * 1024;
/** A peer that is gone without a word is found out so. */
const KEEP_ALIVE_MS = 15_000;
/** How long a question waits while there are as many searches there as may be, in all and at least between tries. */
const BUSY_MAX_MS = 60_000;
const BUSY_PAUSE_MIN_MS = 500;
const TOO_MANY_REQUESTS = 429;
const UNIX = 'unix:';

export class ReadClient implements Disposable {
  /** For people; it holds no secret. */
  readonly address: string;
  readonly #base: RequestOptions;
  readonly #isTls: boolean;
  readonly #agent: HttpAgent;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #clock: Clock;

  /** Throws config_invalid. */
  constructor({ url, token, caFile, clock }: ReadClientOptions) {
    this.#clock = clock;
    this.address = maskedUrl(url);
    const { isTls, ...base } = baseOf(url);
    this.#base = base;
    this.#isTls = isTls;
    const options = { keepAlive: true, keepAliveMsecs: KEEP_ALIVE_MS };
    this.#agent = isTls ? new HttpsAgent({ ...options, ...caOf(caFile) }) : new HttpAgent(options);
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  /** The answer from where it begins; its status is 200. */
  async begin(question: Question): Promise<IncomingMessage> {
    const { signal } = question;
    for (let waitedMs = 0; ;) {
      signal?.throwIfAborted();
      const answer = await this.#sent(question).catch((error: unknown) => {
        signal?.throwIfAborted();
        throw this.#error('store_unavailable', `${reasonOf(error)}; see whether it runs there`, error);
      });
      if (answer.statusCode === 200) return answer;
      // What is no answer of ours may be of any size.
      const said = await this.#textOf(answer, ERROR_BYTES_MAX, signal).catch(() => '');
      signal?.throwIfAborted();
      const pauseMs = answer.statusCode === TOO_MANY_REQUESTS ? pauseMsOf(answer.headers['retry-after']) : null;
      if (pauseMs === null || waitedMs + pauseMs > BUSY_MAX_MS) throw this.#refusal(answer.statusCode ?? 0, said);
      await this.#clock.sleep(pauseMs, signal);
      waitedMs += pauseMs;
    }
  }

  /** The whole answer. */
  async text(question: Question): Promise<string> {
    return this.#textOf(await this.begin(question), ANSWER_BYTES_MAX, question.signal);
  }

  /** What ended or broke an answer that had begun. */
  broken(error: unknown): SluiceError {
    return this.#error('store_unavailable', `its answer was broken off: ${reasonOf(error)}`, error);
  }

  /** Of an answer that is none of the read API. */
  strange(what: string): SluiceError {
    return this.#error('store_refused', `${what}; see whether it is the address of a read API (SLUICE_READ_LISTEN)`);
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  async #sent(question: Question): Promise<IncomingMessage> {
    try {
      return await this.#send(question);
    } catch (error) {
      // A connection that was kept may have been closed just now, and then nobody has seen the request.
      if (error instanceof Error && 'reused' in error) return this.#send(question);
      throw error;
    }
  }

  #send({ path, body, headers, signal, beginsMs }: Question): Promise<IncomingMessage> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const { path: before, ...base } = this.#base;
    const options: RequestOptions = {
      ...base,
      method: text === undefined ? 'GET' : 'POST',
      path: `${before ?? ''}/api/${path}`,
      agent: this.#agent,
      ...(signal && { signal }),
      headers: {
        ...this.#headers,
        ...headers,
        ...(text !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
      },
    };
    return new Promise((resolve, reject) => {
      const sent = (this.#isTls ? httpsRequest : httpRequest)(options, resolve);
      sent.on('socket', (socket) => socket.setKeepAlive(true, KEEP_ALIVE_MS));
      if (beginsMs !== undefined) sent.setTimeout(beginsMs, () => sent.destroy(noAnswer(beginsMs)));
      sent.on('error', (error) => reject(sent.reusedSocket ? Object.assign(error, { reused: true }) : error));
      sent.end(text);
    });
  }

  async #textOf(answer: IncomingMessage, bytesMax: number, signal: AbortSignal | undefined): Promise<string> {
    const pieces: Buffer[] = [];
    let bytes = 0;
    try {
      for await (const piece of answer as AsyncIterable<Buffer>) {
        bytes += piece.length;
        if (bytes > bytesMax) throw new Error(`it is larger than ${bytesMax} bytes`);
        pieces.push(piece);
      }
    } catch (error) {
      signal?.throwIfAborted();
      throw this.broken(error);
    }
    return Buffer.concat(pieces).toString('utf8');
  }

  #refusal(status: number, said: string): SluiceError {
    const { code, message } = errorIn(said);
    if (code === null) {
      if (status >= 500 || status === 429) return this.#error('store_unavailable', `it answered ${status}`);
      return this.strange(`it answered ${status}`);
    }
    if (code === 'unauthorized')
      return this.#error(
        code,
        this.#headers['authorization'] === undefined
          ? 'it asks for a token; give it as SLUICE_READ_TOKEN'
          : 'it knows no such token; look at SLUICE_READ_TOKEN here, and at its SLUICE_READ_TOKENS',
      );
    if (code === 'path_unknown')
      return this.#error('store_refused', 'it is older than this sluice, and cannot be asked by it; upgrade it first');
    // What a command asks wrongly is a wrong usage of it.
    if (code === 'query_wrong') return new SluiceError('usage_wrong', message);
    return new SluiceError(code, `${message} (${this.address})`);
  }

  #error(code: ErrorCode, what: string, cause?: unknown): SluiceError {
    return new SluiceError(code, `Cannot ask the read API at ${this.address}: ${what}`, { cause });
  }
}

/** What an error of the read API says; no code where it is none. */
export function errorIn(text: string): { readonly code: ErrorCode | null; readonly message: string } {
  try {
    const { error } = JSON.parse(text) as { readonly error: { readonly code: string; readonly message: unknown } };
    const code = Object.hasOwn(errorTable, error.code) ? (error.code as ErrorCode) : null;
    return { code, message: String(error.message).slice(0, 1000) };
  } catch {
    return { code: null, message: '' };
  }
}

/** Of a Retry-After in seconds; null where it says nothing of the kind. */
function pauseMsOf(retryAfter: string | undefined): number | null {
  return retryAfter !== undefined && /^\d{1,6}$/.test(retryAfter)
    ? Math.max(BUSY_PAUSE_MIN_MS, Number(retryAfter) * 1000)
    : null;
}

function baseOf(given: string): RequestOptions & { readonly isTls: boolean } {
  if (given.startsWith(UNIX)) return { socketPath: given.slice(UNIX.length), host: 'localhost', isTls: false };
  const url = URL.parse(given);
  const isPlain = url !== null && url.search === '' && url.hash === '' && url.username === '' && url.password === '';
  if (!isPlain || !/^https?:$/.test(url.protocol)) {
    const like = 'give one like https://logs.example:24233, and the token as SLUICE_READ_TOKEN';
    throw new SluiceError(
      'config_invalid',
      `Cannot use SLUICE_READ_URL: "${maskedUrl(given)}" is no such URL; ${like}`,
    );
  }
  const { protocol, hostname, port, pathname } = url;
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    // After a base path, where something stands in front of it.
    path: pathname.replace(/\/(?:api\/?)?$/, ''),
    ...(port !== '' && { port }),
    isTls: protocol === 'https:',
  };
}

function caOf(file: string | undefined): { readonly ca?: Buffer } {
  if (file === undefined) return {};
  try {
    return { ca: readFileSync(file) };
  } catch (error) {
    throw new SluiceError('config_invalid', `Cannot use SLUICE_READ_CA: ${reasonOf(error)}`, { cause: error });
  }
}
