// Finds secrets that the configuration would send over the network unencrypted. `sluice check` reports them, and each
// service logs them at its start. They are not refused: a tunnel or a mesh may protect what looks plain from here.
// Pure.

import { isLoopback, isLoopbackHost, parseListenAddress } from '#shared/net/listen-address.ts';
import type { Config } from './settings.ts';
import { NO_READ_API } from './settings/read.ts';
import { maskedUrl } from './value-text.ts';

/** A sentence each: what goes where, and what to set. */
export function plainSecrets(config: Config): string[] {
  return [
    ...ofKafka(config),
    ...ofTokenUrl(config),
    ...ofElasticsearch(config),
    ...ofKibana(config),
    ...ofDeadLetterUrl(config),
    ...ofTokens(config),
    ...ofAdmin(config),
    ...ofReaders(config),
    ...plainReadToken(config),
  ];
}

function ofKafka(config: Config): string[] {
  if (config['kafka.tls']) return [];
  const found: string[] = [];
  const remote = config['kafka.brokers']?.filter((broker) => !isLoopbackHost(broker.replace(/:\d+$/, ''))) ?? [];
  if (config['kafka.sasl.mechanism'] === 'plain' && remote.length > 0) {
    found.push(
      `The password of SASL plain goes to ${remote.map(maskedUrl).join(', ')} unencrypted: set ` +
        'SLUICE_KAFKA_TLS=true, or a scram mechanism',
    );
  }
  if (config['kafka.sasl.mechanism'] === 'oauthbearer' && remote.length > 0) {
    found.push(
      `The tokens of SASL oauthbearer go to ${remote.map(maskedUrl).join(', ')} unencrypted: set SLUICE_KAFKA_TLS=true`,
    );
  }
  if (config['kafka.tls_ca'] ?? config['kafka.tls_cert'] ?? config['kafka.tls_key']) {
    found.push('The files of SLUICE_KAFKA_TLS_CA, _CERT and _KEY are not used: set SLUICE_KAFKA_TLS=true');
  }
  return found;
}

function ofTokenUrl({ 'kafka.sasl.token_url': url }: Config): string[] {
  if (url === undefined || !isPlain(url)) return [];
  return [`The client secret goes to ${maskedUrl(url)} unencrypted: give SLUICE_KAFKA_SASL_TOKEN_URL an https:// URL`];
}

function ofElasticsearch(config: Config): string[] {
  const hasLogin =
    (config['elasticsearch.api_key'] ?? config['elasticsearch.bearer_token'] ?? config['elasticsearch.password']) !==
    undefined;
  const plain = (config['elasticsearch.url'] ?? []).filter((url) => isPlain(url) && (hasLogin || holdsLogin(url)));
  if (plain.length === 0) return [];
  return [`The login of Elasticsearch goes to ${plain.map(maskedUrl).join(', ')} unencrypted: give it https:// URLs`];
}

/** Only `sluice setup` talks to it. */
function ofKibana(config: Config): string[] {
  const url = config['kibana.url'];
  if (url === undefined || !isPlain(url)) return [];
  const logins = ['kibana.api_key', 'kibana.password', 'elasticsearch.api_key', 'elasticsearch.bearer_token'] as const;
  const hasLogin = [...logins, 'elasticsearch.password' as const].some((name) => config[name] !== undefined);
  if (!hasLogin && !holdsLogin(url)) return [];
  return [`The login of Kibana goes to ${maskedUrl(url)} unencrypted: give SLUICE_KIBANA_URL an https:// URL`];
}

function ofDeadLetterUrl({ 'lambda.dead_letter_url': url }: Config): string[] {
  if (url === undefined || !isPlain(url)) return [];
  return [`Dead letters go to ${maskedUrl(url)} unencrypted: give SLUICE_LAMBDA_DEAD_LETTER_URL an https:// URL`];
}

/** The handshake of Forward sends digests only; a token is sent as it is. */
function ofTokens(config: Config): string[] {
  if (config['http.tokens'] === undefined || config['tls.cert'] !== undefined) return [];
  const listen = config['http.listen'];
  if (listen.startsWith('systemd:') || isLoopback(parseListenAddress(listen))) return [];
  return [
    `Senders show their tokens to ${listen} unencrypted, unless what stands in front of it speaks TLS: set ` +
      'SLUICE_TLS_CERT and SLUICE_TLS_KEY',
  ];
}

function ofAdmin(config: Config): string[] {
  const hasToken = config['admin.token'] !== undefined || config['admin.tokens'] !== undefined;
  if (!hasToken || config['admin.tls.cert'] !== undefined) return [];
  const open = [config['admin.listen'], config['lag.listen']].filter(
    (listen) => !listen.startsWith('systemd:') && !isLoopback(parseListenAddress(listen)),
  );
  if (open.length === 0) return [];
  return [
    `Operators and scrapers show their tokens to ${open.join(', ')} unencrypted: set SLUICE_ADMIN_TLS_CERT and ` +
      'SLUICE_ADMIN_TLS_KEY',
  ];
}

function ofReaders(config: Config): string[] {
  const { 'read.tokens': tokens, 'read.tls.cert': certificate, 'read.listen': listen = NO_READ_API } = config;
  if (tokens === undefined || certificate !== undefined || listen === NO_READ_API) return [];
  if (listen.startsWith('systemd:') || isLoopback(parseListenAddress(listen))) return [];
  return [
    `Readers show their tokens to ${listen} unencrypted, unless what stands in front of it speaks TLS: set ` +
      'SLUICE_READ_TLS_CERT and SLUICE_READ_TLS_KEY',
  ];
}

/** Of the one that only `sluice logs`, `search` and `completion` show. */
export function plainReadToken({ 'read.url': url, 'read.token': token }: Config): string[] {
  if (url === undefined || token === undefined || !isPlain(url)) return [];
  return [`The token of SLUICE_READ_TOKEN goes to ${maskedUrl(url)} unencrypted: give SLUICE_READ_URL an https:// URL`];
}

function isPlain(url: string): boolean {
  const parsed = URL.parse(url);
  return parsed !== null && parsed.protocol === 'http:' && !isLoopbackHost(parsed.hostname);
}

function holdsLogin(url: string): boolean {
  const parsed = URL.parse(url);
  return parsed !== null && (parsed.username !== '' || parsed.password !== '');
}
