// One question to the Kubernetes API, as a pod asks it: with the token and the authority of its service account, which
// are read each time, for both are replaced while we run.
//
// Guarantees: an answer that stops coming ends with an error within `idleMs`, and any answer within `totalMs`; what is
// read stays no longer than who asked takes it. No redirection is followed: the token is for nobody else.

import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import type { Clock } from '#shared/clock.ts';

/** Where the kubelet mounts a service account. */
const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Where a pod finds it, by the variables that Kubernetes sets; see `kubernetesOf`. */
export type KubernetesApi = ApiPlace & { readonly node: string | null };

export interface ApiPlace {
  readonly host: string;
  readonly port: number;
  /** Folder with `token` and `ca.crt`. */
  readonly account?: string | undefined;
}

export interface AnswerLimits {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** So long may pass without a byte; asked for anew whenever one comes. */
  readonly idleMs: () => number;
  readonly totalMs: number;
  /** Something came; first the head of an answer that is as wanted. */
  readonly heard: () => void;
}

/** It has answered, and not as was wanted. */
export class ApiFailure extends Error {
  readonly status: number;
  readonly retryAfterMs: number;

  constructor(status: number, message: string, retryAfterMs = 0) {
    super(message);
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

const MESSAGE_BYTES_MAX = 4096;

export function tokenFile({ account = ACCOUNT }: ApiPlace): string {
  return join(account, 'token');
}

/** The body of an answer with status 200. Throws an ApiFailure for another status, an Error where none comes. */
export async function* answerOf(place: ApiPlace, path: string, limits: AnswerLimits): AsyncGenerator<Buffer, void> {
  const { clock, signal, idleMs, totalMs, heard } = limits;
  const [token, ca] = await Promise.all([
    readFile(tokenFile(place), 'utf8'),
    readFile(join(place.account ?? ACCOUNT, 'ca.crt'), 'utf8'),
  ]);
  const late = new AbortController();
  using _total = clock.timer(totalMs, () => late.abort(new Error(`it took more than ${totalMs / 1000} s`)));
  const request = httpsRequest({
    host: place.host,
    port: place.port,
    path,
    ca,
    agent: false,
    headers: { authorization: `Bearer ${token.trim()}`, accept: 'application/json', 'user-agent': 'sluice' },
    signal: AbortSignal.any([signal, late.signal]),
  });
  let timer = idleTimer();
  const came = (): void => {
    heard();
    timer[Symbol.dispose]();
    timer = idleTimer();
  };
  function idleTimer(): Disposable {
    const ms = idleMs();
    return clock.timer(ms, () => late.abort(new Error(`nothing came for ${ms / 1000} s`)));
  }
  try {
    const response = await responseOf(request);
    if (response.statusCode !== 200) throw await failureOf(response, clock);
    came();
    for await (const chunk of response) {
      came();
      yield chunk as Buffer;
    }
  } catch (error) {
    throw late.signal.aborted ? late.signal.reason : error;
  } finally {
    timer[Symbol.dispose]();
    request.destroy();
  }
}

function responseOf(request: ReturnType<typeof httpsRequest>): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on('response', resolve);
    // Also once it has answered: then who reads the answer hears of it.
    request.on('error', reject);
    request.end();
  });
}

async function failureOf(response: IncomingMessage, clock: Clock): Promise<ApiFailure> {
  const status = response.statusCode ?? 0;
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    pieces.push(chunk as Buffer);
    bytes += (chunk as Buffer).length;
    if (bytes > MESSAGE_BYTES_MAX) break;
  }
  const message = messageOf(Buffer.concat(pieces).toString('utf8', 0, MESSAGE_BYTES_MAX));
  return new ApiFailure(status, `${status} ${message}`.trim(), retryAfterMs(response.headers['retry-after'], clock));
}

/** Of a Status of the API; else nothing: what a proxy says is a page. */
function messageOf(text: string): string {
  try {
    const status: unknown = JSON.parse(text);
    const message = typeof status === 'object' && status !== null && 'message' in status ? status.message : '';
    return typeof message === 'string' ? message.slice(0, 500) : '';
  } catch {
    return '';
  }
}

function retryAfterMs(value: string | undefined, clock: Clock): number {
  if (value === undefined) return 0;
  const ms = /^[0-9]{1,6}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - clock.epochMs();
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}
