// Where documents are kept. See settings.ts.

import { Type } from 'typebox';
import { bytes, GIB, integer, list, MIB, milliseconds, oneOf, text, type Setting } from './setting-kinds.ts';

const AGAIN = 'It is read again for each request, so that it can be replaced while Sluice runs.';

export const store = {
  store: oneOf(['embedded', 'elasticsearch'], 'Where documents are kept.', {
    defaultText: '`elasticsearch` when its URL is set, else `embedded`',
  }),
  'names.max_per_tenant': integer(
    { minimum: 100, maximum: 1_000_000 },
    'Combinations of container, service, pod and tag that the embedded store keeps for a tenant; further events have ' +
      'these names among their attributes.',
    { default: 10_000 },
  ),
  'store.retention_ms': milliseconds(
    { minimum: 60_000, maximum: 3660 * 86_400_000 },
    'How long documents are kept (embedded store; data stream lifecycle in Elasticsearch).',
    {
      default: 7 * 86_400_000,
    },
  ),
  'store.max_bytes': bytes(
    { minimum: 16 * MIB, maximum: 1024 * 1024 * GIB },
    'Size of the embedded store, file and WAL together; beyond it the documents that arrived first are deleted, ' +
      'whatever the retention.',
    { defaultText: '10 GiB, or a tenth of the disk if that is less' },
  ),
  'elasticsearch.url': list('URLs of Elasticsearch nodes, separated by commas.', {}),
  'elasticsearch.api_key': text('API key, as base64.', { secret: true }),
  'elasticsearch.username': text('User.', {}),
  'elasticsearch.password': text('Password.', { secret: true }),
  'elasticsearch.bearer_token': text(
    'Token of a service account, or of an identity provider, in place of an API key.',
    {
      secret: true,
    },
  ),
  'elasticsearch.api_key_file': text(`File of the API key. ${AGAIN}`, {}),
  'elasticsearch.password_file': text(`File of the password. ${AGAIN}`, {}),
  'elasticsearch.bearer_token_file': text(`File of the token. ${AGAIN}`, {}),
  'elasticsearch.ca': text('File of the certificates that Elasticsearch is trusted by.', {}),
  'elasticsearch.ca_fingerprint': {
    ...text('SHA-256 of the certificate that Elasticsearch is trusted by, in hex; in place of its file.', {}),
    schema: Type.String({ pattern: '^[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2}){31}$' }),
  },
  'elasticsearch.cert': text('File of the client certificate that Elasticsearch is shown.', {}),
  'elasticsearch.key': text('File of the key of that certificate.', {}),
  'elasticsearch.index_mode': oneOf(
    ['standard', 'logsdb'],
    'How indices keep documents: `logsdb` takes less disk and more CPU (Elasticsearch 8.17 or newer; at the next ' +
      'rollover after `sluice setup`).',
    { default: 'standard' },
  ),
  'elasticsearch.number_fields': integer(
    { minimum: 0, maximum: 500 },
    'How many keys of attributes have their numbers as fields `numbers.*` too, for averages in Kibana: the first ' +
      'that come (Elasticsearch 8.14 or newer; at the next rollover after `sluice setup`). Searches need none.',
    { default: 0 },
  ),
  'elasticsearch.shards': integer({ minimum: 1, maximum: 1024 }, 'Primary shards of an index.', {
    defaultText: "the server's",
  }),
  'elasticsearch.replicas': integer({ minimum: 0, maximum: 100 }, 'Copies of each shard.', {
    defaultText: "the server's",
  }),
  'elasticsearch.refresh_interval_ms': milliseconds(
    { minimum: 100, maximum: 60_000 },
    'How long a document takes until it is found. Without it, an index that nobody searches is not refreshed, and ' +
      'the next search waits for that; one that is searched is refreshed each second.',
    { defaultText: "the server's" },
  ),
  'kibana.url': text('URL of Kibana, base path or space (`/s/team`) included: `sluice setup` makes the data view.', {}),
  'kibana.api_key': text('API key for Kibana, as base64; without a login of its own, that of Elasticsearch is used.', {
    secret: true,
  }),
  'kibana.username': text('User of Kibana.', {}),
  'kibana.password': text('Password of that user.', { secret: true }),
  'kibana.ca': text('File of the certificates that Kibana is trusted by; else that of Elasticsearch.', {}),
} as const satisfies Record<string, Setting>;
