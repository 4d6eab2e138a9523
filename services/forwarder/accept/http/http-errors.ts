// How an error is answered over HTTP: the status from the table (shared/errors.ts), {"error": code, "message": "Cannot
// …"}, and Retry-After if another try may help. An unknown error tells nothing of itself.

import type { FastifyReply } from 'fastify';
import { type ErrorCode, SluiceError, errorTable, reasonOf } from '#shared/errors.ts';

export const RETRY_AFTER_SECONDS = '2';

export function answerError(error: unknown, reply: FastifyReply): FastifyReply {
  const { code, message } = errorAnswer(error, reply);
  return reply.type('application/json; charset=utf-8').send(JSON.stringify({ error: code, message }));
}

export interface ErrorAnswer {
  readonly code: ErrorCode | 'internal';
  readonly status: number;
  readonly message: string;
}

/** Sets the status and the headers of the answer, whose body is the dialect's; gives what it may tell. */
export function errorAnswer(error: unknown, reply: FastifyReply): ErrorAnswer {
  const code = codeOf(error);
  const status = code === 'internal' ? 500 : errorTable[code].http;
  if (status === 429 || status === 503) reply.header('retry-after', RETRY_AFTER_SECONDS);
  reply.code(status);
  return { code, status, message: code === 'internal' ? 'Cannot answer: it is an error of ours' : messageOf(error) };
}

/** fastify's own errors by their status; what is not ours and not its is an error of ours. */
export function codeOf(error: unknown): ErrorCode | 'internal' {
  if (error instanceof SluiceError) return error.code;
  if (!(error instanceof Error) || !('statusCode' in error)) return 'internal';
  if (error.statusCode === 415) return 'content_type_unknown';
  if ('code' in error && error.code === 'FST_ERR_BAD_URL') return 'tag_invalid';
  return typeof error.statusCode === 'number' && error.statusCode < 500 ? 'request_malformed' : 'internal';
}

/**
 * For the sender and for our log; fastify's words may quote the request, so they are not passed on where it is at
 * fault.
 */
export function messageOf(error: unknown): string {
  if (error instanceof SluiceError) return error.message;
  const code = codeOf(error);
  if (code === 'tag_invalid') return 'Cannot take events: the path is not percent-encoded as it should be';
  if (code === 'content_type_unknown') return 'Cannot read the body: its Content-Type is none';
  return `Cannot answer: ${reasonOf(error)}`;
}
