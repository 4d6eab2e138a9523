// Checks that a PING comes from someone who knows the shared key, and the password of a user. Both are always computed,
// even for an unknown user, and compared in constant time, so that the time of an answer reveals nothing.

import { timingSafeEqual } from 'node:crypto';
import { handshakeDigest, type Ping } from '../decode/forward/handshake.ts';
import type { User } from './users.ts';

/** Compared with if there is no such user. No user has this password. */
const NOBODY: User = { name: '', password: '', tenant: null, tagPrefix: null, tags: null };

export type CredentialCheck =
  | { readonly kind: 'admitted'; readonly user: User | null }
  | { readonly kind: 'refused'; readonly reason: 'shared_key_wrong' | 'user_wrong' };

export class Credentials {
  readonly sharedKey: string;
  readonly #users: ReadonlyMap<string, User>;

  /** Without a shared key users are asked for with an empty one, as fluent-bit's `empty_shared_key` sends it. */
  constructor(sharedKey: string | undefined, users: readonly User[]) {
    this.sharedKey = sharedKey ?? '';
    this.#users = new Map(users.map((user) => [user.name, user]));
  }

  get asksForUsers(): boolean {
    return this.#users.size > 0;
  }

  /** `authSalt`: what HELO had, null where it asked for no user. */
  verify(ping: Ping, nonce: Uint8Array, authSalt: Uint8Array | null): CredentialCheck {
    const isKeyRight = isSame(ping.keyDigest, handshakeDigest(ping.salt, ping.hostname, nonce, this.sharedKey));
    if (authSalt === null) return isKeyRight ? { kind: 'admitted', user: null } : SHARED_KEY_WRONG;
    const known = this.#users.get(ping.user.toString('utf8'));
    const { password } = known ?? NOBODY;
    const isPasswordRight = isSame(ping.passwordDigest, handshakeDigest(authSalt, ping.user, password));
    if (!isKeyRight) return SHARED_KEY_WRONG;
    return known && isPasswordRight ? { kind: 'admitted', user: known } : USER_WRONG;
  }
}

const SHARED_KEY_WRONG: CredentialCheck = { kind: 'refused', reason: 'shared_key_wrong' };
const USER_WRONG: CredentialCheck = { kind: 'refused', reason: 'user_wrong' };

function isSame(given: Buffer, expected: string): boolean {
  return given.length === expected.length && timingSafeEqual(given, Buffer.from(expected, 'latin1'));
}
