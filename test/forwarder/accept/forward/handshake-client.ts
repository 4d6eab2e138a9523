// The client's side of the Forward handshake, right and wrong, for tests.

import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { Decoder, encode } from '@msgpack/msgpack';

export interface Helo {
  readonly nonce: Uint8Array;
  readonly auth: Uint8Array | string;
  readonly keepalive: boolean;
}

export interface PingFacts {
  readonly hostname?: string;
  readonly key?: string;
  readonly user?: string;
  readonly password?: string;
}

export const SALT = 'a salt';

export function digest(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha512');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

export function ping({ nonce, auth }: Helo, facts: PingFacts): Buffer {
  const { hostname = 'node-1', key = '', user = '', password = '' } = facts;
  const keyDigest = digest(SALT, hostname, nonce, key);
  return Buffer.from(encode(['PING', hostname, SALT, keyDigest, user, digest(auth, user, password)]));
}

/** Reads msgpack values off a socket one by one; null when it has closed. */
export class Answers {
  readonly #values: unknown[] = [];
  #wake: (() => void) | null = null;
  #hasEnded = false;

  constructor(socket: Socket) {
    let held = Buffer.alloc(0);
    socket.on('data', (piece: Buffer) => {
      held = Buffer.concat([held, piece]);
      for (const value of new Decoder().decodeMulti(held)) this.#values.push(value);
      // All that the server says fits in a piece or is cut between values.
      held = Buffer.alloc(0);
      this.#wake?.();
    });
    socket.on('close', () => {
      this.#hasEnded = true;
      this.#wake?.();
    });
    socket.on('error', () => undefined);
  }

  async next(): Promise<unknown> {
    while (this.#values.length === 0 && !this.#hasEnded) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.#values.shift() ?? null;
  }

  async helo(): Promise<Helo> {
    const value = await this.next();
    if (!Array.isArray(value) || value[0] !== 'HELO') throw new Error(`no HELO: ${JSON.stringify(value)}`);
    return value[1] as Helo;
  }
}
