// The users file (`SLUICE_USERS`) of the Forward handshake. Passwords stand there as they are: the protocol's digest is
// made of the password itself and a salt that is new for each connection, so a hash of it would not do. Let nobody else
// read the file.
//
//   - user: node-7
//     password: s3cret
//     tenant: acme             one of the tenants file; else as the certificate or the network says
//     tag_prefix: node-7.      else the tenant's
//     tags: ['node-7.*']       what tags, with their prefix, may be; any if absent

import { Type } from 'typebox';
import type { Tenant } from '#shared/config/tenants.ts';
import { type ReadFile, linesOf, readYamlFile } from '#shared/config/yaml-file.ts';
import { SluiceError } from '#shared/errors.ts';
import { TAG_BYTES_MAX } from '#shared/record/record.ts';

export interface User {
  readonly name: string;
  readonly password: string;
  /** Null: as the certificate or the network says. */
  readonly tenant: string | null;
  /** Null: the tenant's. */
  readonly tagPrefix: string | null;
  readonly tags: readonly string[] | null;
}

const word = Type.String({ minLength: 1, maxLength: 1024 });
const UsersFile = Type.Array(
  Type.Object(
    {
      user: word,
      password: word,
      tenant: Type.Optional(word),
      tag_prefix: Type.Optional(Type.String({ maxLength: TAG_BYTES_MAX / 2 })),
      tags: Type.Optional(Type.Array(word)),
    },
    { additionalProperties: false },
  ),
);

/** None where no file is set. Throws config_invalid, a line for each mistake. */
export function loadUsers(path: string | undefined, tenants: readonly Tenant[], readFile: ReadFile): User[] {
  if (path === undefined) return [];
  const users = readYamlFile(path, UsersFile, { readFile, empty: [] });
  const mistakes: string[] = [];
  if (users.length === 0) mistakes.push('it names no user, so that nobody could send');
  const seen = new Set<string>();
  for (const { user, tenant } of users) {
    if (seen.has(user)) mistakes.push(`${user}: the user is there twice`);
    seen.add(user);
    if (tenant !== undefined && !tenants.some(({ name }) => name === tenant)) {
      mistakes.push(`${user}.tenant: ${tenant} is none of the tenants file (SLUICE_TENANTS)`);
    }
  }
  if (mistakes.length > 0) throw new SluiceError('config_invalid', linesOf(path, mistakes));
  return users.map(({ user, password, tenant, tag_prefix: tagPrefix, tags }) => ({
    name: user,
    password,
    tenant: tenant ?? null,
    tagPrefix: tagPrefix ?? null,
    tags: tags ?? null,
  }));
}
