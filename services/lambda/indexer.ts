// The entry of the indexer as an AWS Lambda function, for Kafka event sources. Connections are made with the first call
// and kept; all else begins anew with each.
//
// Settings are those of Sluice. SLUICE_LAMBDA_REPORT_ITEM_FAILURES must say what the event source mapping says: with
// it, the answer tells how far each partition came; without it, Lambda takes any answer for success, so a call that did
// not finish fails as a whole. The same batch then comes again, never a longer one: so a split line that the batch ends
// in is passed on in parts, not waited for.

import { InvocationIndexer } from '#indexer/shells/invocation-indexer.ts';
import { systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import { createLog } from '#shared/log.ts';
import { Metrics } from '#shared/metrics.ts';
import { openStore } from '#shared/open/open-store.ts';
import { readFileSync } from 'node:fs';
import type { LambdaContext } from './context.ts';
import { embeddedMetrics } from './embedded-metrics.ts';
import { answerOf, type KafkaEventAnswer, type KafkaEvent, recordsOf } from './kafka-event.ts';
import { ConfiguredSources } from './configured-sources.ts';
import { PostedDeadLetters, StoreDeadLetters } from './dead-letter-sinks.ts';

const VERSION = process.env['AWS_LAMBDA_FUNCTION_VERSION'] ?? 'local';
const config = loadConfig({
  env: process.env,
  readFile: (path) => readFileSync(path, 'utf8'),
  isCalledWithRecords: true,
});
const clock = systemClock;
const store = await openStore(config);
const deadLetterUrl = config['lambda.dead_letter_url'];
const indexer = new InvocationIndexer({
  config,
  store,
  queue: deadLetterUrl === undefined ? new StoreDeadLetters(store, clock) : new PostedDeadLetters(deadLetterUrl),
  metrics: new Metrics({ version: VERSION, command: 'lambda' }),
  log: createLog(config['log.level'], clock),
  clock,
  random: Math.random,
});

const sources = new ConfiguredSources(config, indexer.slots);

/** Resolves to how far each partition came. Rejects where not all is finished and item failures are not reported. */
export async function handler(event: KafkaEvent, context: LambdaContext): Promise<KafkaEventAnswer> {
  const startedMs = clock.monotonicMs();
  const timeLimitMs = Math.max(0, context.getRemainingTimeInMillis() - config['lambda.deadline_margin_ms']);
  const passOnTails = !config['lambda.report_item_failures'];
  const { watermarks, finished, held, counts } = await indexer.index(recordsOf(event, sources), {
    timeLimitMs,
    passOnTails,
  });
  const count = (value: number) => ({ value, unit: 'Count' }) as const;
  const line = embeddedMetrics({
    functionName: context.functionName,
    atMs: clock.epochMs(),
    values: {
      EventsConsumed: count(counts.consumed),
      EventsIndexed: count(counts.indexed),
      EventsDeduplicated: count(counts.deduplicated),
      EventsDeadLettered: count(counts.dead_lettered),
      EventsAbandoned: count(counts.abandoned),
      CallsUnfinished: count(finished ? 0 : 1),
      Duration: { value: clock.monotonicMs() - startedMs, unit: 'Milliseconds' },
    },
  });
  process.stdout.write(`${line}\n`);
  if (!finished && !config['lambda.report_item_failures']) {
    const why = held ?? indexer.unhealthyReason ?? 'the time was over';
    throw new Error(`Cannot finish the batch: ${why}; all of it must come again`);
  }
  return answerOf(event, watermarks, sources);
}
