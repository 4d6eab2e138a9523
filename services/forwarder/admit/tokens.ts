// The tokens of the HTTP inputs (`SLUICE_HTTP_TOKENS`). The holder of a token speaks for the token's tenant, under the
// tags that it names.
//
//   - sha256: 9f86d0…          of the token, in hex (`printf %s TOKEN | sha256sum`): the file then holds no secret
//     token: 5f2c…             or the token itself, at least 8 characters
//     tenant: acme             one of the tenants file; else as the certificate or the network says
//     tag_prefix: acme.        else the tenant's
//     tags: ['acme.*']         what tags, with their prefix, may be; any if absent
//     user: shipper            the name that must come with it by Basic; any if absent
//
// Sent as Authorization: Bearer <token>, Splunk <token>, ApiKey <token> (or the base64 of id:token), Basic <base64 of
// user:token>. Only digests are kept, and all of them are compared in constant time: how long the answer takes tells
// nothing.

import { hash, timingSafeEqual } from 'node:crypto';
import { Type } from 'typebox';
import type { Tenant } from '#shared/config/tenants.ts';
import { type ReadFile, linesOf, readYamlFile } from '#shared/config/yaml-file.ts';
import { SluiceError } from '#shared/errors.ts';
import { TAG_BYTES_MAX } from '#shared/record/record.ts';
import type { Grant } from '../intake/principal.ts';

const word = Type.String({ minLength: 1, maxLength: 1024 });
const TokensFile = Type.Array(
  Type.Object(
    {
      token: Type.Optional(Type.String({ minLength: 8, maxLength: 4096 })),
      sha256: Type.Optional(Type.String({ pattern: '^[0-9A-Fa-f]{64}$' })),
      tenant: Type.Optional(word),
      tag_prefix: Type.Optional(Type.String({ maxLength: TAG_BYTES_MAX / 2 })),
      tags: Type.Optional(Type.Array(word)),
      user: Type.Optional(word),
    },
    { additionalProperties: false },
  ),
);

export interface Token {
  /** For the audit lines: its user, else its place in the file. */
  readonly name: string;
  readonly digest: Buffer;
  readonly userDigest: Buffer | null;
  readonly grant: Grant;
}

export class Tokens {
  readonly #tokens: readonly Token[];

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get count(): number {
    return this.#tokens.length;
  }

  /** One token, of a setting. */
  static ofSecret(secret: string, name: string): Tokens {
    const grant = { tenant: null, tagPrefix: null, tags: null };
    return new Tokens([{ name, digest: digestOf(secret), userDigest: null, grant }]);
  }

  /** What an Authorization header grants; null: nothing. */
  grantOf(authorization: string): Grant | null {
    return this.#find(authorization)?.grant ?? null;
  }

  /** The name of the token that it shows; null where none is known. */
  holderOf(authorization: string): string | null {
    return this.#find(authorization)?.name ?? null;
  }

  #find(authorization: string): Token | null {
    let found: Token | null = null;
    for (const { user, secret } of credentialsIn(authorization)) {
      const digest = digestOf(secret);
      const userDigest = digestOf(user ?? '');
      for (const token of this.#tokens) {
        const isToken = timingSafeEqual(token.digest, digest);
        const isUser = timingSafeEqual(token.userDigest ?? userDigest, userDigest);
        if (isToken && (isUser || user === null)) found = token;
      }
    }
    return found;
  }
}

/** Throws config_invalid, a line for each mistake. */
export function loadTokens(path: string, tenants: readonly Tenant[], readFile: ReadFile): Tokens {
  const tokens = readYamlFile(path, TokensFile, { readFile, empty: [] });
  const mistakes: string[] = [];
  if (tokens.length === 0) mistakes.push('it names no token, so that nobody could send');
  const seen = new Set<string>();
  const digests = tokens.map(({ token, sha256 }) =>
    token === undefined ? Buffer.from(sha256 ?? '', 'hex') : digestOf(token),
  );
  for (const [i, { token, sha256, tenant }] of tokens.entries()) {
    if ((token === undefined) === (sha256 === undefined)) mistakes.push(`${i}: it has to have one of token and sha256`);
    const digest = digests[i]?.toString('hex') ?? '';
    if (digest !== '' && seen.has(digest)) mistakes.push(`${i}.token: the token is there twice`);
    seen.add(digest);
    if (tenant !== undefined && !tenants.some(({ name }) => name === tenant)) {
      mistakes.push(`${i}.tenant: ${tenant} is none of the tenants file (SLUICE_TENANTS)`);
    }
  }
  if (mistakes.length > 0) throw new SluiceError('config_invalid', linesOf(path, mistakes));
  return new Tokens(
    tokens.map(({ user, tenant, tag_prefix: tagPrefix, tags }, i) => ({
      name: user ?? `token ${i}`,
      digest: digests[i] ?? digestOf(''),
      userDigest: user === undefined ? null : digestOf(user),
      grant: { tenant: tenant ?? null, tagPrefix: tagPrefix ?? null, tags: tags ?? null },
    })),
  );
}

/** Of the tokens in the file, in hex; whatever else it says. Throws config_invalid. */
export function tokenDigests(path: string, readFile: ReadFile): Set<string> {
  const tokens = readYamlFile(path, TokensFile, { readFile, empty: [] });
  return new Set(
    tokens.map(({ token, sha256 = '' }) =>
      token === undefined ? sha256.toLowerCase() : digestOf(token).toString('hex'),
    ),
  );
}

interface Credential {
  /** Null where the scheme has none. */
  readonly user: string | null;
  readonly secret: string;
}

/** What a header may mean: an ApiKey stands for itself or, in base64, for an id and a key. */
function credentialsIn(authorization: string): Credential[] {
  const [, scheme = '', value = ''] = /^(\S+)\s+(\S+)\s*$/.exec(authorization) ?? [];
  switch (scheme.toLowerCase()) {
    case 'bearer':
    case 'splunk':
      return [{ user: null, secret: value }];
    case 'basic':
      return pairIn(value);
    case 'apikey':
      return [{ user: null, secret: value }, ...pairIn(value).map(({ secret }) => ({ user: null, secret }))];
    default:
      return [];
  }
}

function pairIn(base64: string): Credential[] {
  const text = Buffer.from(base64, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? [] : [{ user: text.slice(0, colon), secret: text.slice(colon + 1) }];
}

export function digestOf(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}
