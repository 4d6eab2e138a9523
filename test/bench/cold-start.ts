// From nothing to the first indexed batch: the Lambda function through the Runtime API, a new instance each time.

import { randomBytes } from 'node:crypto';
import { elasticsearch } from '#test/backends/elasticsearch.ts';
import { kafkaEvent, kafkaRecord } from '#test/lambda/kafka-events.ts';
import { LocalRuntime } from '#test/lambda/local-runtime.ts';

const ROUNDS = 7;

export async function run(): Promise<void> {
  const found = await elasticsearch();
  if (!found?.url) {
    console.log('cold-start: skipped, there is no Elasticsearch');
    return;
  }
  console.log(
    `cold start of the Lambda indexer → Elasticsearch (${found.how}), ${ROUNDS} new instances, 100 events in the first call`,
  );
  const tag = `bench.${randomBytes(4).toString('hex')}`;
  const totals: number[] = [];
  const firsts: number[] = [];
  const seconds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const event = async (offset: number) =>
      kafkaEvent([
        await kafkaRecord({ offset, tag, events: Array.from({ length: 100 }, (_, n) => ({ message: `event ${n}` })) }),
      ]);
    const [first, second] = [await event(2 * round), await event(2 * round + 1)];
    const began = performance.now();
    await using runtime = await new LocalRuntime().start({
      SLUICE_ELASTICSEARCH_URL: found.url,
      SLUICE_LAMBDA_REPORT_ITEM_FAILURES: 'true',
      SLUICE_LOG_LEVEL: 'error',
    });
    await runtime.invoke(first);
    totals.push(performance.now() - began);
    const warm = performance.now();
    await runtime.invoke(second);
    seconds.push(performance.now() - warm);
    const told = runtime.stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { Duration: number }).Duration);
    firsts.push(told[0] ?? Number.NaN);
  }
  console.log(
    `  process start to first answer: ${median(totals)} ms; of it the first call, with connecting and the first bulk: ${median(firsts)} ms`,
  );
  console.log(`  a call to the warm instance: ${median(seconds)} ms`);
}

function median(values: readonly number[]): number {
  return Math.round(values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN);
}
