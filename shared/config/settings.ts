// Every setting of Sluice, in one table: name, type with its limits, unit, default, and a sentence.
// The table validates (load.ts), documents (docs/configuration.md is made from it) and masks (secrets).
//
// A setting `kafka.sasl.username` is the variable SLUICE_KAFKA_SASL_USERNAME and, in the YAML file, the key
// `username` below `sasl` below `kafka`. A setting marked `secret` has a `_FILE` variant too.

import { type Static, type TSchema, Type } from 'typebox';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** How the text of a variable becomes a value. */
export type Syntax = 'text' | 'integer' | 'count' | 'bytes' | 'milliseconds' | 'boolean' | 'list';

export interface Setting<S extends TSchema = TSchema> {
  readonly syntax: Syntax;
  readonly schema: S;
  /** Absent: unset unless given. */
  readonly default?: Static<S>;
  /** Told instead of the default where it depends on others. */
  readonly defaultText?: string;
  readonly secret?: boolean;
  /** What each element of a list may be. */
  readonly choices?: readonly string[];
  /** One sentence for the reference. */
  readonly about: string;
}

type Facts<S extends TSchema> = Omit<Setting<S>, 'syntax' | 'schema' | 'about'>;
type Given<S extends TSchema, F> = Setting<S> & F;

const text = <const F extends Facts<ReturnType<typeof Type.String>>>(about: string, facts: F) =>
  ({ syntax: 'text', schema: Type.String({ minLength: 1 }), about, ...facts }) as Given<
    ReturnType<typeof Type.String>,
    F
  >;

const oneOf = <const V extends string, const F extends { default?: NoInfer<V>; defaultText?: string }>(
  values: readonly V[],
  about: string,
  facts: F,
) =>
  ({ syntax: 'text', schema: Type.Unsafe<V>(Type.Enum([...values])), about, ...facts }) as Given<
    ReturnType<typeof Type.Unsafe<V>>,
    F
  >;

const quantity =
  (syntax: Syntax) =>
  <const F extends { default?: number; defaultText?: string }>(
    range: { minimum: number; maximum: number },
    about: string,
    facts: F,
  ) =>
    ({ syntax, schema: Type.Integer(range), about, ...facts }) as Given<ReturnType<typeof Type.Integer>, F>;

const bytes = quantity('bytes');
const milliseconds = quantity('milliseconds');
const integer = quantity('integer');

/** A whole number, or as many as the machine has. */
const count = <const F extends { default: number }>(
  range: { minimum: number; maximum: number },
  about: string,
  facts: F,
) =>
  ({
    syntax: 'count',
    schema: Type.Unsafe<number | 'auto'>(Type.Union([Type.Integer(range), Type.Literal('auto')])),
    about,
    ...facts,
  }) as Given<ReturnType<typeof Type.Unsafe<number | 'auto'>>, F>;

const flag = <const F extends { default: boolean }>(about: string, facts: F) =>
  ({ syntax: 'boolean', schema: Type.Boolean(), about, ...facts }) as Given<ReturnType<typeof Type.Boolean>, F>;

const list = <const F extends { default?: readonly string[] }>(about: string, facts: F) =>
  ({
    syntax: 'list',
    schema: Type.Unsafe<readonly string[]>(Type.Array(Type.String({ minLength: 1 }))),
    about,
    ...facts,
  }) as Given<ReturnType<typeof Type.Unsafe<readonly string[]>>, F>;

const someOf = <const V extends string>(values: readonly V[], about: string) => {
  const schema = Type.Unsafe<readonly V[]>(Type.Array(Type.Enum([...values])));
  return { syntax: 'list', schema, about, choices: values } as Given<typeof schema, { choices: readonly V[] }>;
};

export const settings = {
  'data.dir': text('Folder of the embedded queue, the embedded store, and the spool.', { default: './data' }),
  'log.level': oneOf(['debug', 'info', 'warn', 'error'], 'Least severe level that Sluice writes to its own log.', {
    default: 'info',
  }),

  workers: count(
    { minimum: 1, maximum: 64 },
    'Processes of `sluice forwarder` and `sluice indexer` (`--workers`); `auto`: as many as processors.',
    { default: 1 },
  ),

  'forward.listen': text('Address of the Forward input: TCP, and the UDP heartbeat on the same port.', {
    default: '127.0.0.1:24224',
  }),
  'http.listen': text('Address of all HTTP inputs.', { default: '127.0.0.1:9880' }),
  'http.tokens': text('File of the tokens that senders to the HTTP inputs must have one of, YAML.', {}),
  'http.cors_origins': list(
    'Origins whose pages in a browser may send to the HTTP inputs, such as https://app.example.com, separated by commas.',
    {},
  ),
  'syslog.listen': text('Address of the syslog input: TCP and UDP; `unix:/path` for a stream. Unset: none.', {}),
  'syslog.tls_listen': text('Address of the syslog input over TLS; needs a certificate. Unset: none.', {}),
  'syslog.tag': text('Tag of what comes by syslog.', { default: 'syslog' }),
  'syslog.time_zone': text('Zone of senders that write times without one, such as Europe/Berlin.', {
    defaultText: "the machine's",
  }),
  'syslog.message_max_bytes': bytes(
    { minimum: 2 * KIB, maximum: 8 * MIB },
    'Longest part of a syslog message; a longer one is sent on in parts, which the indexer joins.',
    { default: 64 * KIB },
  ),
  'gelf.listen': text('Address of the GELF input, TCP and UDP. Unset: none.', {}),
  'gelf.tag': text('Tag of what comes by GELF.', { default: 'gelf' }),
  'gelf.message_max_bytes': bytes(
    { minimum: 16 * KIB, maximum: 64 * MIB },
    'Largest GELF message, after decompression; a larger one goes to the dead letters.',
    { default: 2 * MIB },
  ),
  'udp.receive_buffer_bytes': bytes(
    { minimum: 64 * KIB, maximum: GIB },
    "Kernel's buffer of each UDP input; it gives no more than its own limit (net.core.rmem_max).",
    { default: 4 * MIB },
  ),
  'admin.listen': text('Address of /metrics, /livez and /readyz.', { default: '127.0.0.1:24231' }),
  'admin.token': {
    ...text(
      'Token that whoever asks the admin page must show, but for /livez and /readyz; the commands that ask it show this one.',
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
  allow_networks: list('Networks that may connect at all, such as 10.0.0.0/8, separated by commas; any if unset.', {}),
  insecure: someOf(
    ['forward', 'http', 'syslog', 'gelf', 'admin'],
    'Inputs that may listen on a public address without any authentication.',
  ),
  shared_key: text('Key that senders of the Forward input must know.', { secret: true }),
  users: text('File of the users of the Forward input, YAML.', {}),
  tenants: text('File of the tenants, YAML.', {}),
  'tls.cert': text(
    'File of the certificate, and its chain, that inputs show: Forward and HTTP then speak TLS, syslog on `syslog.tls_listen`.',
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
  'rate.connections_per_address': integer(
    { minimum: 0, maximum: 1_000_000 },
    'New connections a second from one address, all inputs together; ten times as many at once; 0: any number.',
    { default: 1000 },
  ),
  'rate.requests_per_address': integer(
    { minimum: 0, maximum: 1_000_000 },
    'HTTP requests a second from one address; ten times as many at once; 0: any number.',
    { default: 5000 },
  ),
  'rate.bytes_per_address': bytes(
    { minimum: 0, maximum: 64 * GIB },
    'Bytes a second from one address, as sent; ten times as many at once; then it is not read for a while, and its datagrams are dropped. 0: any number.',
    { default: 128 * MIB },
  ),
  'rate.exempt_networks': list('Networks that have none of these rates, such as those of load balancers.', {
    default: ['127.0.0.0/8', '::1'],
  }),
  'forward.max_connections': integer({ minimum: 1, maximum: 1_000_000 }, 'Connections of the Forward input.', {
    default: 16_384,
  }),
  'forward.max_connections_per_address': integer(
    { minimum: 1, maximum: 1_000_000 },
    'Connections of the Forward input from one address.',
    { default: 8192 },
  ),
  'http.max_connections': integer({ minimum: 1, maximum: 1_000_000 }, 'Connections of the HTTP inputs.', {
    default: 2048,
  }),
  'http.max_connections_per_address': integer(
    { minimum: 1, maximum: 1_000_000 },
    'Connections of the HTTP inputs from one address.',
    { default: 1024 },
  ),
  'syslog.max_connections': integer({ minimum: 1, maximum: 1_000_000 }, 'Connections of the syslog input.', {
    default: 4096,
  }),
  'syslog.max_connections_per_address': integer(
    { minimum: 1, maximum: 1_000_000 },
    'Connections of the syslog input from one address.',
    { default: 2048 },
  ),
  'gelf.max_connections': integer({ minimum: 1, maximum: 1_000_000 }, 'Connections of the GELF input.', {
    default: 4096,
  }),
  'gelf.max_connections_per_address': integer(
    { minimum: 1, maximum: 1_000_000 },
    'Connections of the GELF input from one address.',
    { default: 2048 },
  ),
  'forward.handshake_timeout_ms': milliseconds(
    { minimum: 100, maximum: 600_000 },
    'How long TLS and the shared key may take on a new connection.',
    { default: 10_000 },
  ),
  'forward.frame_timeout_ms': milliseconds(
    { minimum: 100, maximum: 86_400_000 },
    'How long a frame may take to come whole, and a peer to read its acks.',
    { default: 300_000 },
  ),
  // A sender without acks does not see that it was closed, and its next line is lost: so none is closed unless asked
  // for.
  'forward.idle_timeout_ms': milliseconds(
    { minimum: 0, maximum: 30 * 86_400_000 },
    'How long a connection of the Forward input may be silent; 0: for ever.',
    { default: 0 },
  ),
  'forward.socket_mode': {
    ...text('Permissions of the unix socket, where Forward listens on one, such as 0660; else as the umask says.', {}),
    schema: Type.String({ pattern: '^0?[0-7]{3}$' }),
  },
  'frame.max_bytes': bytes(
    { minimum: 64 * KIB, maximum: 512 * MIB },
    'Largest HTTP body, also after decompression, and largest Forward frame that is held in memory; larger ones go to a file.',
    {
      default: 64 * MIB,
    },
  ),
  'frame.file_max_bytes': bytes(
    { minimum: 0, maximum: 64 * GIB },
    'Disk for Forward frames of more than 4 MiB while they come, in `incoming` of the data folder, for each process; one network may have as much as it leaves free, so a frame a half at most. 0: those above `frame.max_bytes` are refused.',
    { default: GIB },
  ),
  // gzip shrinks at most 1032 times, and real chunks of health checks come near it: none of these may be refused.
  'frame.max_ratio': integer(
    { minimum: 10, maximum: 100_000 },
    'What a compressed Forward chunk may grow by where it grows beyond `frame.max_bytes` (8 MiB at least); one that would grow more goes to the dead letters.',
    { default: 2000 },
  ),
  // Zeros cost zstd a thousandth of their bytes. Fluentd's file buffer cuts its chunks by what they are compressed, at
  // 256 MB.
  'frame.unpacked_max_bytes': bytes(
    { minimum: 64 * MIB, maximum: 1024 * GIB },
    'What a compressed Forward chunk may grow to where it grows beyond `frame.max_bytes`; one that would be larger goes to the dead letters.',
    { default: 4 * GIB },
  ),
  'intake.max_bytes': bytes(
    { minimum: MIB, maximum: 16 * GIB },
    'Bytes that the forwarder holds before it stops reading from its senders; a chunk counts 3.5 KiB beside its own.',
    {
      default: 48 * MIB,
    },
  ),
  // While an append is in flight the next record fills anyway. Waiting longer would slow down senders that wait for
  // each ack: Docker's driver gives up what it has 10 s after a container's end, so at 4 ms an ack it loses lines.
  'gather.linger_ms': milliseconds(
    { minimum: 0, maximum: 1000 },
    'How long small batches wait for others to share a record when no append of their partition is in flight.',
    { default: 0 },
  ),
  'gather.record_bytes': bytes(
    { minimum: 16 * KIB, maximum: 16 * MIB },
    'Uncompressed size at which a record is closed.',
    {
      default: 512 * KIB,
    },
  ),

  queue: oneOf(['embedded', 'kafka'], 'Which queue lies between forwarder and indexer.', {
    defaultText: '`kafka` when brokers are set, else `embedded`',
  }),
  'queue.max_bytes': bytes(
    { minimum: 16 * MIB, maximum: 1024 * GIB },
    'Size of the embedded queue, files and WAL together; full, it pushes back.',
    {
      default: 10 * GIB,
    },
  ),
  'queue.dead_letters_max_bytes': bytes(
    { minimum: 16 * MIB, maximum: 1024 * GIB },
    'What dead letters of the embedded queue may take, beside `queue.max_bytes`; of it what the edge refuses may fill a half, and of that one sender as much as it leaves free.',
    { defaultText: 'an eighth of `queue.max_bytes`, 16 MiB at least' },
  ),
  'queue.retention_ms': milliseconds(
    { minimum: 1000, maximum: 366 * 86_400_000 },
    'How long the embedded queue keeps what was indexed.',
    {
      default: 3_600_000,
    },
  ),
  spool: flag(
    'Whether the forwarder takes events into a spool on disk while Kafka is away; switch it off where there is no disk.',
    { default: true },
  ),
  'spool.max_bytes': bytes({ minimum: 16 * MIB, maximum: 1024 * GIB }, 'Size of the spool, files and WAL together.', {
    default: 10 * GIB,
  }),
  'spool.full': oneOf(
    ['push-back', 'drop-oldest'],
    'What a full spool does: refuse what comes, or give up its oldest events, which it counts.',
    { default: 'push-back' },
  ),
  'kafka.brokers': list('Addresses of some brokers, host:port, separated by commas.', {}),
  'kafka.topic': text('Topic of the log records.', { default: 'sluice.logs' }),
  'kafka.dead_letter_topic': text('Topic of what could not be indexed.', { default: 'sluice.dead-letters' }),
  'kafka.group': text('Consumer group of the indexers.', { default: 'sluice-indexer' }),
  'kafka.partitions': integer({ minimum: 1, maximum: 10_000 }, 'Partitions that `sluice setup` gives to a new topic.', {
    default: 12,
  }),
  'kafka.produce_timeout_ms': milliseconds(
    { minimum: 1000, maximum: 600_000 },
    'How long the forwarder tries to give a record to Kafka before it refuses the senders.',
    {
      default: 30_000,
    },
  ),
  'kafka.sasl.mechanism': oneOf(['plain', 'scram-sha-256', 'scram-sha-512'], 'SASL mechanism.', {}),
  'kafka.sasl.username': text('SASL user.', {}),
  'kafka.sasl.password': text('SASL password.', { secret: true }),
  'kafka.tls': flag('Whether to speak TLS to the brokers.', { default: false }),
  'kafka.tls_ca': text('File of the certificates that the brokers are trusted by.', {}),
  'kafka.tls_cert': text('File of the client certificate.', {}),
  'kafka.tls_key': text('File of the key of the client certificate.', {}),

  store: oneOf(['embedded', 'elasticsearch'], 'Where documents are kept.', {
    defaultText: '`elasticsearch` when its URL is set, else `embedded`',
  }),
  'names.max_per_tenant': integer(
    { minimum: 100, maximum: 1_000_000 },
    'Combinations of container, service and tag that the embedded store keeps for a tenant; further events have these names among their attributes.',
    { default: 10_000 },
  ),
  'store.retention_ms': milliseconds(
    { minimum: 60_000, maximum: 3660 * 86_400_000 },
    'How long documents are kept (embedded store; data stream lifecycle in Elasticsearch).',
    {
      default: 7 * 86_400_000,
    },
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
  'elasticsearch.ca': text('File of the certificates that Elasticsearch is trusted by.', {}),
  'elasticsearch.ca_fingerprint': {
    ...text('SHA-256 of the certificate that Elasticsearch is trusted by, in hex; in place of its file.', {}),
    schema: Type.String({ pattern: '^[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2}){31}$' }),
  },
  'elasticsearch.cert': text('File of the client certificate that Elasticsearch is shown.', {}),
  'elasticsearch.key': text('File of the key of that certificate.', {}),

  'indexer.inflight_max_bytes': bytes(
    { minimum: MIB, maximum: 16 * GIB },
    'Bytes of fetched records, with what each costs in memory, that the indexer holds before it pauses its partitions; also the most bytes of documents that wait for another try.',
    {
      default: 32 * MIB,
    },
  ),
  'indexer.clock_skew_ms': milliseconds(
    { minimum: 0, maximum: 86_400_000 },
    'How far the clocks of forwarders and Elasticsearch may be apart: so long after a rollover ids are looked for in older indices.',
    { default: 300_000 },
  ),
  'indexer.unknown_version': oneOf(
    ['hold', 'dead-letter'],
    'What becomes of a record of a later version: its partition waits for an upgrade of the indexer, or it goes to the dead letters.',
    { default: 'hold' },
  ),
  'bulk.max_bytes': bytes({ minimum: 64 * KIB, maximum: 95 * MIB }, 'Size at which a bulk request is sent.', {
    default: 4 * MIB,
  }),
  'document.max_bytes': bytes(
    { minimum: 64 * KIB, maximum: 64 * MIB },
    'Largest entry that is made a document, and largest document; larger ones go to the dead letters. Forwarders go by it where an entry of a frame in a file has more than 16 MiB.',
    { default: 16 * MIB },
  ),
  'bulk.linger_ms': milliseconds({ minimum: 0, maximum: 60_000 }, 'How long a bulk request waits to be filled.', {
    default: 100,
  }),
  'bulk.concurrency': integer(
    { minimum: 1, maximum: 64 },
    'Bulk requests in flight at most; how many there are adapts to what the store takes.',
    { default: 16 },
  ),
  'bulk.timeout_ms': milliseconds(
    { minimum: 1000, maximum: 600_000 },
    'How long to wait for the answer to a bulk request before the same ids are sent again.',
    {
      default: 60_000,
    },
  ),
  'join.timeout_ms': milliseconds(
    { minimum: 100, maximum: 60_000 },
    'How long the first part of a split line waits for the rest.',
    {
      default: 5000,
    },
  ),
  'join.line_max_bytes': bytes({ minimum: 16 * KIB, maximum: 64 * MIB }, 'Longest line that is joined.', {
    default: 4 * MIB,
  }),
  'join.max_bytes': bytes({ minimum: MIB, maximum: 4 * GIB }, 'Bytes of all unfinished lines together.', {
    default: 32 * MIB,
  }),

  'lambda.report_item_failures': flag(
    'Whether the event source mapping of the Lambda indexer has ReportBatchItemFailures; must be as it is there.',
    { default: false },
  ),
  'lambda.deadline_margin_ms': milliseconds(
    { minimum: 100, maximum: 60_000 },
    'How long before its deadline a Lambda function, indexer or forwarder, stops and answers.',
    { default: 2000 },
  ),
  'lambda.dead_letter_url': text(
    'Where the Lambda indexer posts what cannot be indexed; unset: the data stream logs-sluice.dead_letters-default.',
    {},
  ),

  'shutdown.timeout_ms': milliseconds(
    { minimum: 100, maximum: 600_000 },
    'How long a stop may take before what is left is abandoned (never lost: it was not acked, or not committed).',
    {
      default: 9000,
    },
  ),
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof settings;

type Value<K extends SettingName> = (typeof settings)[K] extends { syntax: 'boolean' }
  ? boolean
  : (typeof settings)[K] extends Setting<infer S>
    ? Static<S>
    : never;

/** Effective configuration: a value for each setting; undefined only where the table gives no default. */
export type Config = {
  readonly [K in SettingName]: (typeof settings)[K] extends { default: unknown } ? Value<K> : Value<K> | undefined;
};

/** `kafka.sasl.username` → `SLUICE_KAFKA_SASL_USERNAME`. */
export function variableOf(name: string): string {
  return `SLUICE_${name.toUpperCase().replaceAll('.', '_')}`;
}
