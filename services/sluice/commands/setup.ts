// `sluice setup`: makes whatever Sluice needs in Kafka, Elasticsearch and Kibana. What is there already is listed and
// left as it is.

import { parseArgs } from 'node:util';
import { harmless } from '#shared/harmless.ts';
import { openStore } from '#shared/open/open-store.ts';
import type { CommandContext } from '../process/command.ts';

export const help = `Usage: sluice setup [--config FILE]

Makes topics and initial offsets in Kafka, templates and data streams in Elasticsearch, and with
SLUICE_KIBANA_URL the data view in Kibana. May run any number of times. The embedded queue and store need no set-up.
`;

export async function run(args: string[], { config, stdout }: CommandContext): Promise<number> {
  parseArgs({ args, options: {} });
  const print = (lines: readonly string[]): void => {
    for (const line of lines) stdout.write(`${harmless(line)}\n`);
  };
  if (config['queue'] === 'kafka') {
    const { setupTopics } = await import('#shared/queue/kafka/setup.ts');
    print(await setupTopics(config));
  } else {
    print(['queue: embedded, needs no set-up']);
  }
  await using store = await openStore(config);
  print(await store.setup());
  if (config['kibana.url'] !== undefined) {
    const { setUpKibana } = await import('#shared/store/kibana/setup.ts');
    print(await setUpKibana(config));
  }
  return 0;
}
