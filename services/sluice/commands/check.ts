// `sluice check`: the configuration was validated when it was loaded. This command checks the files that it names,
// prints the effective settings, and asks brokers, store, data folder and addresses whether they are as they should be.

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { checkEdge } from '#forwarder/admit/check.ts';
import { plainSecrets } from '#shared/config/plain-secrets.ts';
import { type Config, type Setting, type SettingName, settings, variableOf } from '#shared/config/settings.ts';
import { maskedUrl, textFromValue } from '#shared/config/value-text.ts';
import { SluiceError } from '#shared/errors.ts';
import { deadLetterBytesMaxOf, edgeDeadLetterBytesMaxOf } from '#shared/queue/embedded/dead-letter-budget.ts';
import type { CommandContext } from '../process/command.ts';
import { checkPageTokens } from '../admin/page.ts';
import { checkReadTokens } from '../read/read-api.ts';
import { harmless } from '#shared/harmless.ts';
import { fileMistakes } from '../probe/files.ts';
import { probeAddresses, probeDataFolder } from '../probe/machine.ts';
import { type Finding, findingLine } from '../probe/report.ts';

export const help = `Usage: sluice check [--offline] [--config FILE]

Validates the configuration and the files that it names, and prints the effective one, a variable a line, secrets masked.
Then asks what it names, and tells each on a line, with what to do: brokers, topics and their settings, topics that
kafka.sources names, Elasticsearch and the template, the data folder, the addresses to listen on. Changes nothing.

  --offline   The configuration and its files only; connects to nothing

Exit codes: 0 all is well (a line that begins with "weak" is advice), 1 something cannot be reached or used,
2 the configuration is wrong: each mistake on a line.
`;

export async function run(args: string[], { config, exposedSecrets = [], stdout }: CommandContext): Promise<number> {
  const { values } = parseArgs({ args, options: { offline: { type: 'boolean', default: false } } });
  checkFiles(config);
  const advice = [
    ...[...plainSecrets(config), ...exposedSecrets].map((text): Finding => ({
      thing: 'Secrets',
      outcome: 'weak',
      text,
    })),
    ...frameAdvice(config),
    ...deadLetterAdvice(config),
  ];
  const findings = [...advice, ...(values.offline ? [] : await probe(config))];
  const blank = findings.length === 0 ? '' : '\n';
  const text = effectiveLines(config) + blank + findings.map(findingLine).join('');
  stdout.write(stdout.isTTY === true ? harmless(text) : text);
  return findings.some(({ outcome }) => outcome === 'failed') ? 1 : 0;
}

function frameAdvice(config: Config): Finding[] {
  if (config['frame.file_max_bytes'] > 0) return [];
  const limit = textFromValue('bytes', config['frame.max_bytes']);
  const text = `chunks above ${limit} are refused: SLUICE_FRAME_FILE_MAX_BYTES=0; give senders a smaller chunk limit`;
  return [{ thing: 'Forward frames', outcome: 'weak', text }];
}

/** A dead letter that never fits is refused each time, and its sender sends it again and again. */
function deadLetterAdvice(config: Config): Finding[] {
  if (config['queue'] !== 'embedded') return [];
  const budget = deadLetterBytesMaxOf(config['queue.max_bytes'], config['queue.dead_letters_max_bytes']);
  const largest = edgeDeadLetterBytesMaxOf(budget);
  const frame = config['frame.max_bytes'];
  if (frame <= largest) return [];
  const [has, may] = [frame, Math.floor(largest)].map((value) => textFromValue('bytes', value));
  const needed = textFromValue('bytes', frame * Math.ceil(budget / largest));
  const text = `a chunk that is no events may have ${has}, and one that has more than ${may} compressed is refused each time it comes: raise SLUICE_QUEUE_DEAD_LETTERS_MAX_BYTES to ${needed}, or lower SLUICE_FRAME_MAX_BYTES`;
  return [{ thing: 'Dead letters', outcome: 'weak', text }];
}

function checkFiles(config: Config): void {
  const mistakes = fileMistakes(config);
  try {
    checkPageTokens(config);
    checkReadTokens(config);
    checkEdge(config, (path) => readFileSync(path, 'utf8'));
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    mistakes.push(error.message);
  }
  if (mistakes.length > 0) throw new SluiceError('config_invalid', mistakes.join('\n'));
}

function effectiveLines(config: Config): string {
  let lines = '';
  for (const name of Object.keys(settings) as SettingName[]) {
    const setting: Setting = settings[name];
    const value = config[name];
    if (value === undefined) continue;
    lines += `${variableOf(name)}=${setting.secret ? '********' : maskedUrl(textFromValue(setting.syntax, value))}\n`;
  }
  return lines;
}

async function probe(config: Config): Promise<Finding[]> {
  const kafka = async (): Promise<Finding[]> => (await import('../probe/kafka.ts')).probeKafka(config);
  const elasticsearch = async (): Promise<Finding[]> =>
    (await import('../probe/elasticsearch.ts')).probeElasticsearch(config);
  const isWritten = config.queue === 'embedded' || config.store === 'embedded' || config.spool;
  const found = await Promise.all([
    ...(config.queue === 'kafka' ? [kafka()] : []),
    ...(config.store === 'elasticsearch' ? [elasticsearch()] : []),
  ]);
  const folder = isWritten ? [probeDataFolder(config)] : [];
  return [...found.flat(), ...folder, ...(await probeAddresses(config))];
}
