// The queue between forwarder and indexer, and the spool in front of it. See settings.ts.

import { kafkaLogin } from './kafka-login.ts';
import { SourceRules } from './sources.ts';
import {
  bytes,
  flag,
  GIB,
  integer,
  list,
  MIB,
  milliseconds,
  oneOf,
  text,
  tree,
  type Setting,
} from './setting-kinds.ts';

export const queue = {
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
    'What dead letters of the embedded queue may take, beside `queue.max_bytes`; of it what the edge refuses may ' +
      'fill a half, and of that one sender as much as it leaves free.',
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
    'Whether the forwarder takes events into a spool on disk while Kafka is away; switch it off where there is no ' +
      'disk.',
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
  'kafka.sources': tree(
    SourceRules,
    'Topics that others write and the indexer reads beside its own, and how: see [sources.md](sources.md).',
    {},
  ),
  'kafka.produce_timeout_ms': milliseconds(
    { minimum: 1000, maximum: 600_000 },
    'How long the forwarder tries to give a record to Kafka before it refuses the senders.',
    {
      default: 30_000,
    },
  ),
  ...kafkaLogin,
  'kafka.tls': flag('Whether to speak TLS to the brokers.', { default: false }),
  'kafka.tls_ca': text('File of the certificates that the brokers are trusted by.', {}),
  'kafka.tls_cert': text('File of the client certificate.', {}),
  'kafka.tls_key': text('File of the key of the client certificate.', {}),
} as const satisfies Record<string, Setting>;
