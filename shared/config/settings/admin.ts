// The page for operators and scrapers, and the exporter of the lag. See settings.ts.

import { Type } from 'typebox';
import { milliseconds, text, type Setting } from './setting-kinds.ts';

export const admin = {
  'admin.listen': text('Address of /metrics, /livez and /readyz.', { default: '127.0.0.1:24231' }),
  'admin.token': {
    ...text(
      'Token that whoever asks the admin page must show, but for /livez and /readyz; the commands that ask it show ' +
        'this one.',
      { secret: true },
    ),
    schema: Type.String({ minLength: 8 }),
  },
  'admin.tokens': text('File of more such tokens, or their digests, YAML as that of `http.tokens`.', {}),
  'admin.tls.cert': text('File of the certificate, and its chain, that the admin page shows: it then speaks TLS.', {}),
  'admin.tls.key': text('File of the key of that certificate.', {}),
  'admin.tls.client_ca': text(
    'File of the certificates that operators and scrapers are trusted by; who shows such a one needs no token.',
    {},
  ),
  'lag.listen': text('Address of the exporter `sluice lag --serve`.', { default: '127.0.0.1:24232' }),
  'lag.interval_ms': milliseconds(
    { minimum: 250, maximum: 600_000 },
    'How often `sluice lag --serve` looks at the queue.',
    { default: 1000 },
  ),
} as const satisfies Record<string, Setting>;
