// Asks a token URL for a token with the client's credentials (RFC 6749, 4.4). Total and bounded: whatever answers, or
// does not, this ends within its time with a token or with a sentence for the operator.
//
//   POST <token URL>   Authorization: Basic base64(urlencoded id ":" urlencoded secret)
//   grant_type=client_credentials&scope=…
//   200 {"access_token": "…", "expires_in": 3600}   400, 401 {"error": "invalid_client", "error_description": "…"}
//
// Guarantee: the secret goes to this URL only (no redirect is followed), and into no message.

import { request as requestPlain, type IncomingMessage } from 'node:http';
import { request as requestTls } from 'node:https';
import { type ErrorCode, reasonOf, SluiceError } from '#shared/errors.ts';
import { harmless, oneLine } from '#shared/harmless.ts';
import type { Token } from './token-source.ts';

export interface ClientCredentials {
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope: string | undefined;
  /** PEM of the authorities in place of the system's. */
  readonly ca: string | undefined;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** For the whole exchange, so that a login to a broker does not outlast it. */
const TIMEOUT_MS = 8000;
/** So is a token, and a broker takes a login of 512 KiB (sasl.server.max.receive.size). */
const BODY_BYTES_MAX = 256 * 1024;
/** Where neither the answer nor the token says. */
const LIFETIME_UNKNOWN_MS = 300_000;
const LIFETIME_MAX_MS = 30 * 86_400_000;
const SHOWN_CHARS_MAX = 200;
/** RFC 6750, 2.1. */
const BEARER = /^[A-Za-z0-9\-._~+/]+=*$/;
const OPERATORS = new Set([400, 401, 403, 404]);

/** Rejects with queue_unauthorized if an operator has to act, else with queue_unavailable. */
export async function askForToken(credentials: ClientCredentials, timeoutMs = TIMEOUT_MS): Promise<Token> {
  const { url } = credentials;
  const answer = await post(credentials, timeoutMs).catch((error: unknown) => {
    throw cannot(url, reasonOf(error), 'look at SLUICE_KAFKA_SASL_TOKEN_URL and SLUICE_KAFKA_SASL_TOKEN_CA');
  });
  const fields = fieldsOf(answer.body);
  if (answer.status !== 200) throw refusal(url, answer.status, fields);
  const token = fields['access_token'];
  if (typeof token !== 'string' || token === '') {
    throw cannot(url, 'its answer has no access_token', 'look whether SLUICE_KAFKA_SASL_TOKEN_URL is right');
  }
  if (!BEARER.test(token)) {
    throw cannot(url, 'its access_token is none that a login can carry', 'look at what issues the tokens');
  }
  return { value: token, lifetimeMs: lifetimeOf(fields['expires_in'], token) };
}

function post({ url, clientId, clientSecret, scope, ca }: ClientCredentials, timeoutMs: number): Promise<Answer> {
  const form = new URLSearchParams({ grant_type: 'client_credentials', ...(scope !== undefined && { scope }) });
  const login = Buffer.from(`${formEncoded(clientId)}:${formEncoded(clientSecret)}`).toString('base64');
  const options = {
    method: 'POST',
    // No connection is kept: the next request is a lifetime away.
    agent: false,
    headers: {
      authorization: `Basic ${login}`,
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': Buffer.byteLength(form.toString()),
    },
    ...(ca !== undefined && { ca }),
  } as const;
  return new Promise((resolve, reject) => {
    const ask = url.startsWith('https:') ? requestTls : requestPlain;
    const request = ask(url, options, (response) => {
      void read(response)
        .then(resolve, reject)
        .finally(() => clearTimeout(timer));
    });
    const timer = setTimeout(() => request.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    request.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    request.end(form.toString());
  });
}

async function read(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw new Error(`its answer is larger than ${BODY_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return { status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') };
}

function fieldsOf(body: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function refusal(url: string, status: number, fields: Record<string, unknown>): SluiceError {
  const [error, description] = [shown(fields['error']), shown(fields['error_description'])];
  const what = `${status}${error === '' ? '' : ` ${error}`}${description === '' ? '' : ` (${description})`}`;
  if (!OPERATORS.has(status)) return cannot(url, what, 'look at what issues the tokens');
  const check =
    error === 'invalid_scope'
      ? 'check SLUICE_KAFKA_SASL_SCOPE'
      : status === 404
        ? 'check SLUICE_KAFKA_SASL_TOKEN_URL'
        : 'check SLUICE_KAFKA_SASL_CLIENT_ID and SLUICE_KAFKA_SASL_CLIENT_SECRET';
  return cannot(url, what, check, 'queue_unauthorized');
}

/** What a peer says, for a log: a line of harmless characters. */
function shown(value: unknown): string {
  return typeof value === 'string' ? oneLine(harmless(value.slice(0, SHOWN_CHARS_MAX))) : '';
}

/** Without a cause: kafkajs would report that in place of the sentence. */
function cannot(url: string, why: string, todo: string, code: ErrorCode = 'queue_unavailable'): SluiceError {
  const { origin, pathname } = new URL(url);
  return new SluiceError(code, `Cannot get a token from ${origin}${pathname}: ${why}; ${todo}`);
}

/** From now; a token that tells its own end is believed only where the answer is silent: our clock may be wrong. */
function lifetimeOf(expiresIn: unknown, token: string): number {
  const seconds = typeof expiresIn === 'string' && expiresIn !== '' ? Number(expiresIn) : expiresIn;
  if (typeof seconds === 'number' && seconds > 0) return Math.min(seconds * 1000, LIFETIME_MAX_MS);
  const claims = fieldsOf(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
  const { exp, iat } = claims;
  const lifetimeMs = typeof exp === 'number' ? exp * 1000 - (typeof iat === 'number' ? iat * 1000 : Date.now()) : 0;
  return lifetimeMs > 0 ? Math.min(lifetimeMs, LIFETIME_MAX_MS) : LIFETIME_UNKNOWN_MS;
}

function formEncoded(text: string): string {
  return new URLSearchParams({ _: text }).toString().slice('_='.length);
}
