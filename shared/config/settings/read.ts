// The read API: searches over HTTP. See settings.ts.

import { integer, milliseconds, text, type Setting } from './setting-kinds.ts';

/** In place of an address. */
export const NO_READ_API = 'none';
export const READ_LISTEN_DEFAULT = '127.0.0.1:24233';

export const read = {
  'read.listen': text('Address of the read API, `/api/search` and others; `none`: there is none.', {
    defaultText: `\`${READ_LISTEN_DEFAULT}\` of \`sluice run\` where that is free, else none`,
  }),
  'read.tokens': text(
    'File of the tokens that readers must have one of, with the tenant that each may read, YAML; needed where other ' +
      'machines can reach the address.',
    {},
  ),
  'read.url': text(
    'Read API of another Sluice (`https://logs.example:24233`, `unix:/path`): `sluice logs` and `sluice search` ask ' +
      'it, in place of the store.',
    {},
  ),
  'read.token': text('Token that they show there, one of its `read.tokens`.', { secret: true }),
  'read.ca': text('File of the certificates by which that read API is trusted, instead of those of the system.', {}),
  'read.tls.cert': text('File of the certificate, and its chain, that the read API shows: it then speaks TLS.', {}),
  'read.tls.key': text('File of the key of that certificate.', {}),
  'read.searches_max': integer({ minimum: 1, maximum: 1000 }, 'Searches of the read API at once.', { default: 8 }),
  'read.tails_max': integer({ minimum: 1, maximum: 1000 }, 'Readers of `/api/tail` at once.', { default: 16 }),
  'read.timeout_ms': milliseconds(
    { minimum: 1000, maximum: 3_600_000 },
    'How long a search of the read API may take; what is read slowly counts.',
    { default: 60_000 },
  ),
} as const satisfies Record<string, Setting>;
