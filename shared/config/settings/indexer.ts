// How the indexer works, what differs in a Lambda function, and how long a stop may take. See settings.ts.

import { bytes, flag, GIB, integer, KIB, MIB, milliseconds, oneOf, text, type Setting } from './setting-kinds.ts';

export const indexer = {
  'indexer.inflight_max_bytes': bytes(
    { minimum: MIB, maximum: 16 * GIB },
    'Bytes of fetched records, with what each costs in memory, that the indexer holds before it pauses its ' +
      'partitions; also the most bytes of documents that wait for another try.',
    {
      default: 32 * MIB,
    },
  ),
  'indexer.clock_skew_ms': milliseconds(
    { minimum: 0, maximum: 86_400_000 },
    'How far the clocks of forwarders and Elasticsearch may be apart: so long after a rollover ids are looked for in ' +
      'older indices.',
    { default: 300_000 },
  ),
  'indexer.unknown_version': oneOf(
    ['hold', 'dead-letter'],
    'What becomes of a record of a later version: its partition waits for an upgrade of the indexer, or it goes to ' +
      'the dead letters.',
    { default: 'hold' },
  ),
  'bulk.max_bytes': bytes({ minimum: 64 * KIB, maximum: 95 * MIB }, 'Size at which a bulk request is sent.', {
    default: 4 * MIB,
  }),
  'document.max_bytes': bytes(
    { minimum: 64 * KIB, maximum: 64 * MIB },
    'Largest entry that is made a document, and largest document; larger ones go to the dead letters. Forwarders go ' +
      'by it where an entry of a frame in a file has more than 16 MiB.',
    { default: 16 * MIB },
  ),
  parse: flag(
    'Whether lines are read for what they say: their time, level, message and fields. Off, a line is its message, ' +
      'and each line of a stack trace is a document.',
    { default: true },
  ),
  'event.original': flag(
    'Whether a line of which the message is only a part is kept whole, as event.original. Without it, `sluice logs` ' +
      'prints the messages.',
    { default: true },
  ),
  'bulk.linger_ms': milliseconds({ minimum: 0, maximum: 60_000 }, 'How long a bulk request waits to be filled.', {
    defaultText: '100; 25 for the embedded store, for which a small request costs little more',
  }),
  'bulk.concurrency': integer(
    { minimum: 1, maximum: 64 },
    'Bulk requests in flight at most; how many there are adapts to what the store takes. The embedded store gets two.',
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
  'join.max_bytes': bytes(
    { minimum: MIB, maximum: 4 * GIB },
    'Bytes of all unfinished lines together; of all open stack traces as many again.',
    {
      default: 32 * MIB,
    },
  ),
  multiline: flag('Whether the lines of a stack trace become one document; see docs/documents.md.', { default: true }),
  'multiline.wait_ms': milliseconds(
    { minimum: 100, maximum: 60_000 },
    'How long the first line of a stack trace waits for more: as long after the last line of its source. A longer ' +
      'gap between two lines ends a trace.',
    { default: 1000 },
  ),
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
