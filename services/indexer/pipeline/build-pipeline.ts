// Puts the stages of the indexer together: everything between the records of the queue and their outcomes. The shells
// around it are the consumer that runs for ever, the drain job, and the function that is called with records.

import { readFileSync } from 'node:fs';
import { getHeapStatistics } from 'node:v8';
import { ByteBudget } from '#shared/byte-budget.ts';
import type { Clock } from '#shared/clock.ts';
import type { Config } from '#shared/config/settings.ts';
import type { SourceRule } from '#shared/config/settings/sources.ts';
import { loadTenants } from '#shared/config/tenants.ts';
import type { Log } from '#shared/log.ts';
import type { Metrics } from '#shared/metrics.ts';
import type { FetchedRecord, Queue } from '#shared/queue/queue.ts';
import { openedBytesMax } from '#shared/record/value-limit.ts';
import type { Store } from '#shared/store/store.ts';
import { ConcurrencyLimit } from '../bulk/concurrency.ts';
import { BulkWriter, type BulkWriterOptions } from '../bulk/writer.ts';
import { fetchBytesMax } from '../unpack/bytes-in-hand.ts';
import type { CommitDelayOptions } from '../commit/commit-delay.ts';
import { TopicSlots } from '../settle/topic-slots.ts';
import type { Assignment } from '../commit/in-hand.ts';
import { Ledger } from '../settle/ledger.ts';
import type { FieldOptions } from '../parse/document/document-parts.ts';
import { NumberFields } from '../parse/number-fields.ts';
import { type JoiningOptions, Joins } from './joins.ts';
import { Pipeline } from './pipeline.ts';
import { ChildOpener } from '../poison/child-opener.ts';
import { type Machine, deadLettersBytesMax, limitsOf } from '../poison/limits.ts';
import type { RecordOpener } from '../poison/opener.ts';
import { RecordRefusals } from './refusals.ts';
import type { RewindDifferences } from './rewind-differences.ts';
import type { ReadingTelemetry } from '../settle/reading-telemetry.ts';
import { IndexerTelemetry, type PartitionAge } from '../settle/telemetry.ts';
import type { Decompress, UnpackOptions } from '../unpack/unpack.ts';

export interface IndexerOptions extends CoreOptions {
  readonly queue: Queue;
}

export interface CoreOptions {
  readonly config: Config;
  /** Takes what cannot be indexed. */
  readonly queue: Pick<Queue, 'appendDeadLetters' | 'appendBytesMax'>;
  readonly store: Store;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly clock: Clock;
  /** A number in [0, 1), for the jitter of retries. */
  readonly random: () => number;
  /** A simulation's own, in place of the thread pool. */
  readonly decompress?: Decompress;
  /** A simulation's own, in place of a child process. */
  readonly opener?: RecordOpener;
  /** What a replay of dead letters does otherwise. */
  readonly replay?: ReplayDifferences;
  /** What reading a range of the queue once more does otherwise. */
  readonly rewind?: RewindDifferences;
}

interface ReplayDifferences {
  /** Where the event of a dead letter was first, as "topic/partition/offset". */
  readonly positionOf: (record: FetchedRecord) => string;
}

export interface IndexerCore {
  /** For a reader: how long commits are delayed under a new assignment, and what ends that. */
  readonly commitDelay: CommitDelayOptions;
  readonly pipeline: Pipeline;
  readonly writer: BulkWriter;
  readonly ledger: Ledger;
  readonly telemetry: IndexerTelemetry;
  readonly budget: ByteBudget;
  /** Says why the dead letters take nothing. */
  readonly refusals: { readonly unhealthyReason: string | null };
  readonly opener: RecordOpener;
  /** Numbers of partitions in this process. */
  readonly slots: TopicSlots;
}

/** A request of few documents costs Elasticsearch much more than the embedded store, which is followed as it grows. */
const LINGER_MS = { elasticsearch: 100, embedded: 25 } as const satisfies Record<Store['kind'], number>;

/** One in work, and one on its way: the embedded store has one thread, and what waits for it takes memory. */
const REQUESTS_MAX = { elasticsearch: Infinity, embedded: 2 } as const satisfies Record<Store['kind'], number>;

/** `partitions`: the ages that a scrape shows. */
export function buildCore(options: CoreOptions, partitions: () => Iterable<PartitionAge>): IndexerCore {
  const { config, queue, store, metrics, log, clock, random } = options;
  const slots = new TopicSlots(config['kafka.topic']);
  const telemetry = new IndexerTelemetry({ metrics, log, clock, slots });
  const ledger = new Ledger(telemetry.ledger);
  const unpacking = unpackingOf(options);
  const positionOf =
    options.replay?.positionOf ??
    ((record: FetchedRecord) => {
      const { topic, partition } = slots.placeOf(record.partition);
      return `${topic}/${partition}/${record.offset}`;
    });
  const documents = { trustedTenants: trustedTenantsOf(config), documentBytesMax: config['document.max_bytes'] };
  const lineFields = { parse: config['parse'], keepsOriginal: config['event.original'] };
  const budget = new ByteBudget(config['indexer.inflight_max_bytes']);
  const common = { ...documents, lineFields, clock, unpacking, budget, rewind: options.rewind };
  const refusals = new RecordRefusals({ ...common, queue, random, positionOf, telemetry: telemetry.ledger });
  const limit = new ConcurrencyLimit(Math.min(config['bulk.concurrency'], REQUESTS_MAX[store.kind]), clock);
  const writer = buildWriter(options, { refusals, ledger, limit, telemetry: telemetry.bulk });
  const joining = joiningOf(config);
  const opener =
    options.opener ??
    buildOpener(options, { ...documents, lineFields, joining, unpacking, telemetry: telemetry.reading });
  const suspectBudget = new ByteBudget(fetchBytesMax(budget.bytesMax));
  telemetry.watchBytes(budget, suspectBudget);
  const pipeline = new Pipeline({
    ...common,
    ledger,
    writer,
    refusals,
    suspectBudget,
    opener,
    joins: new Joins(joining),
    lingerMs: config['bulk.linger_ms'] ?? LINGER_MS[store.kind],
    // The other store reads them from the documents.
    listsNumbers: store.kind === 'elasticsearch',
    numberFields: numberFieldsOf(config, telemetry),
    unknownVersion: config['indexer.unknown_version'],
    telemetry: telemetry.reading,
    contents: telemetry.contents,
  });
  telemetry.watch({ ledger, writer, limit, partitions });
  // A store of one index has no place for a second copy.
  const commitDelayMs = store.kind === 'elasticsearch' ? config['bulk.timeout_ms'] : 0;
  const commitDelay = { commitDelayMs, lookAgain: (assignment: Assignment) => writer.lookAgain(assignment) };
  return { pipeline, writer, ledger, telemetry, budget, refusals, commitDelay, opener, slots };
}

/** Undefined where none are wanted. */
function numberFieldsOf(config: Config, { contents }: IndexerTelemetry): NumberFields | undefined {
  const max = config['elasticsearch.number_fields'];
  if (max === 0) return undefined;
  const fields = new NumberFields(max);
  contents.useNumberFields(fields);
  return fields;
}

function buildWriter(
  { config, store, clock, random, replay, rewind }: CoreOptions,
  parts: Pick<BulkWriterOptions, 'refusals' | 'ledger' | 'limit' | 'telemetry'>,
): BulkWriter {
  return new BulkWriter({
    ...parts,
    store,
    clock,
    random,
    timeoutMs: config['bulk.timeout_ms'],
    bodyBytesMax: config['bulk.max_bytes'],
    waitingBytesMax: config['indexer.inflight_max_bytes'],
    clockSkewMs: config['indexer.clock_skew_ms'],
    askForAll: replay !== undefined || rewind !== undefined,
  });
}

interface OpenerParts {
  readonly trustedTenants: ReadonlySet<string>;
  readonly lineFields: FieldOptions;
  readonly documentBytesMax: number;
  readonly joining: JoiningOptions;
  readonly unpacking: UnpackOptions;
  readonly telemetry: ReadingTelemetry;
}

/** A child process that has the same limits as this one. */
function buildOpener(
  { config, clock, random }: CoreOptions,
  { trustedTenants, lineFields, documentBytesMax, joining, unpacking, telemetry }: OpenerParts,
): RecordOpener {
  const { bytesMax } = unpacking;
  const { traceWaitMs } = joining;
  const opening = {
    bytesMax,
    documentBytesMax,
    bodyBytesMax: config['bulk.max_bytes'],
    trustedTenants: [...trustedTenants],
    ...lineFields,
    lines: joining,
    ...(traceWaitMs !== null && { traceWaitMs }),
    lettersBytesMax: deadLettersBytesMax(config['indexer.inflight_max_bytes']),
  };
  return new ChildOpener({
    opening,
    limits: (hasFailed) => limitsOf(bytesMax, machine(), hasFailed),
    clock,
    random,
    telemetry,
  });
}

function unpackingOf({ config, decompress }: CoreOptions): UnpackOptions {
  return { bytesMax: openedBytesMax(config['frame.max_bytes']), ...(decompress && { decompress }) };
}

function joiningOf(config: Config): JoiningOptions {
  return {
    timeoutMs: config['join.timeout_ms'],
    lineBytesMax: config['join.line_max_bytes'],
    bytesMax: config['join.max_bytes'],
    traceWaitMs: config['parse'] && config['multiline'] ? config['multiline.wait_ms'] : null,
  };
}

function machine(): Machine {
  return { heapBytes: getHeapStatistics().heap_size_limit, availableBytes: process.availableMemory() };
}

/** The edge's file says whose records may name their own tenant. Throws config_invalid. */
function trustedTenantsOf(config: Config): ReadonlySet<string> {
  const tenants = loadTenants(config['tenants'], (path) => readFileSync(path, 'utf8'));
  return new Set(tenants.filter(({ trustsRecords }) => trustsRecords).map(({ name }) => name));
}

/** Topics that others write, by the configuration, and those that Sluice itself writes. */
export function sourcesOf(config: Config): {
  readonly rules: readonly SourceRule[];
  readonly ownTopics: readonly string[];
} {
  return {
    rules: config['kafka.sources'] ?? [],
    ownTopics: [config['kafka.topic'], config['kafka.dead_letter_topic']],
  };
}
