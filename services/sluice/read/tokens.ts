// The tokens of readers (`SLUICE_READ_TOKENS`), and what the holder of each may read.
//
//   - sha256: 9f86d0…       of the token, in hex (`printf %s TOKEN | sha256sum`): the file then holds no secret
//     token: 5f2c…          or the token itself, at least 16 characters
//     tenant: acme          whose documents it may read; '*' for all there are, which has to be said
//     user: grafana         its name in the audit lines, and the user that must come with it by Basic
//
// Guarantee: a token that senders have (`SLUICE_HTTP_TOKENS`) is refused: who may write shall not read by accident.

import { Type } from 'typebox';
import { type Token, tokenDigests, Tokens, digestOf } from '#forwarder/admit/tokens.ts';
import { linesOf, type ReadFile, readYamlFile } from '#shared/config/yaml-file.ts';
import { SluiceError } from '#shared/errors.ts';

const name = Type.String({ minLength: 1, maxLength: 1024 });
const ReadTokensFile = Type.Array(
  Type.Object(
    {
      token: Type.Optional(Type.String({ minLength: 16, maxLength: 4096 })),
      sha256: Type.Optional(Type.String({ pattern: '^[0-9A-Fa-f]{64}$' })),
      tenant: name,
      user: Type.Optional(name),
    },
    { additionalProperties: false },
  ),
);

/** Said for a token that may read the documents of all tenants. */
export const ALL_TENANTS = '*';

/** `senders`: their file of tokens, if there is one. Throws config_invalid, a line for each mistake. */
export function loadReadTokens(path: string, senders: string | undefined, readFile: ReadFile): Tokens {
  const given = readYamlFile(path, ReadTokensFile, { readFile, empty: [] });
  const mistakes: string[] = [];
  if (given.length === 0) mistakes.push('it names no token, so that nobody could read');
  const seen = new Set<string>();
  const ofSenders = senders === undefined ? new Set<string>() : tokenDigests(senders, readFile);
  const tokens = given.map(({ token, sha256, tenant, user }, i): Token => {
    if ((token === undefined) === (sha256 === undefined)) mistakes.push(`${i}: it has to have one of token and sha256`);
    const digest = token === undefined ? Buffer.from(sha256 ?? '', 'hex') : digestOf(token);
    const hex = digest.toString('hex');
    if (seen.has(hex)) mistakes.push(`${i}.token: the token is there twice`);
    seen.add(hex);
    if (ofSenders.has(hex)) mistakes.push(`${i}.token: senders have it too (SLUICE_HTTP_TOKENS); make another one`);
    return {
      name: user ?? `token ${i}`,
      digest,
      userDigest: user === undefined ? null : digestOf(user),
      grant: { tenant, tagPrefix: null, tags: null },
    };
  });
  if (mistakes.length > 0) throw new SluiceError('config_invalid', linesOf(path, mistakes));
  return new Tokens(tokens);
}
