// Who may connect to the inputs, and TLS. See settings.ts.

import { list, oneOf, someOf, text, type Setting } from './setting-kinds.ts';

export const access = {
  allow_networks: list('Networks that may connect at all, such as 10.0.0.0/8, separated by commas; any if unset.', {}),
  insecure: someOf(
    ['forward', 'http', 'syslog', 'gelf', 'admin'],
    'Inputs that may listen on a public address without any authentication.',
  ),
  shared_key: text('Key that senders of the Forward input must know.', { secret: true }),
  users: text('File of the users of the Forward input, YAML.', {}),
  tenants: text('File of the tenants, YAML.', {}),
  'tls.cert': text(
    'File of the certificate, and its chain, that inputs show: Forward and HTTP then speak TLS, syslog on ' +
      '`syslog.tls_listen`.',
    {},
  ),
  'tls.key': text('File of the key of that certificate.', {}),
  'tls.client_ca': text('File of the certificates that senders are trusted by; each must then show one.', {}),
  'tls.min_version': oneOf(['1.2', '1.3'], 'Oldest version of TLS that inputs speak.', { default: '1.2' }),
  'tls.ciphers': text('Ciphers that inputs may use, as OpenSSL writes them, separated by colons.', {
    defaultText: "Node's",
  }),
  'tls.max_version': oneOf(['1.2', '1.3'], 'Newest version of TLS; 1.2 spares senders that want no acks a loss.', {
    defaultText: '1.3; for syslog, whose senders never read, 1.2',
  }),
} as const satisfies Record<string, Setting>;
