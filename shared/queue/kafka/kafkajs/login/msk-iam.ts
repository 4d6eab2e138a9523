// Tokens of Amazon MSK: a URL that AWS signed, valid for a quarter of an hour. Its signer finds the credentials as
// every tool of AWS does: variables, a function's or a task's role, a profile. The library is loaded with the first
// token, so that nobody else pays for it.

import { reasonOf, SluiceError } from '#shared/errors.ts';
import type { Token } from './token-source.ts';

/** The search may ask a service, or run a command, that never answers; all logins would wait for it. */
const TIMEOUT_MS = 8000;

/** Rejects with queue_unavailable: credentials of AWS come and go by themselves. */
export async function signMskToken(region: string, timeoutMs = TIMEOUT_MS, sign = signWithAws): Promise<Token> {
  const { promise: tooLate, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no credentials within ${timeoutMs} ms`)), timeoutMs);
  try {
    return await Promise.race([sign(region), tooLate]);
  } catch (error) {
    const todo = 'give the process a role of AWS, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY';
    throw new SluiceError(
      'queue_unavailable',
      `Cannot sign a token for Amazon MSK in ${region}: ${reasonOf(error)}; ${todo}`,
    );
  } finally {
    clearTimeout(timer);
  }
}

async function signWithAws(region: string): Promise<Token> {
  const { generateAuthToken } = await import('aws-msk-iam-sasl-signer-js');
  const { token, expiryTime } = await generateAuthToken({ region });
  return { value: token, lifetimeMs: expiryTime - Date.now() };
}
