// The reference of configuration, docs/configuration.md, made from the one table. A test holds the file to it.

import { type Setting, settings, variableOf } from './settings.ts';
import { textFromValue } from './value-text.ts';

export function configurationReference(): string {
  const rows = Object.entries(settings).map(([name, setting]) => row(name, setting));
  return `# Configuration

Made from \`shared/config/settings.ts\` by \`npm run docs\`; not written by hand.

Each setting is an environment variable, and a key of the optional YAML file (\`--config FILE\`, or \`SLUICE_CONFIG\`): \`kafka.topic\` is
\`topic\` below \`kafka\`, and \`SLUICE_KAFKA_TOPIC\`. Where a setting has others below it, its own key is \`_\` (\`queue: {_: embedded, max_bytes: 1GiB}\`).
Variables win over the file. Empty means unset. Unknown keys and variables with the prefix are refused, but for those that Kubernetes makes for
services. A secret can be read from a file: \`SLUICE_ELASTICSEARCH_API_KEY_FILE\`. \`sluice check\` prints what is in force, and whether what it names is there.

Bytes may be written as \`64KiB\`, \`10GiB\`; times as \`250\` (milliseconds), \`5s\`, \`10m\`, \`7d\`; lists with commas.

| variable | default | allowed | |
|---|---|---|---|
${rows.join('\n')}
`;
}

function row(name: string, setting: Setting): string {
  return `| \`${variableOf(name)}\` | ${defaultOf(setting)} | ${allowedOf(setting)} | ${setting.about}${setting.secret ? ' Secret.' : ''} |`;
}

function defaultOf({ syntax, default: value, defaultText }: Setting): string {
  if (defaultText !== undefined) return defaultText;
  return value === undefined ? '' : `\`${textFromValue(syntax, value)}\``;
}

function allowedOf({ syntax, schema, choices: listed }: Setting): string {
  const { enum: one, minimum, maximum } = schema as { enum?: string[]; minimum?: number; maximum?: number };
  const choices = one ?? listed;
  if (syntax === 'count') return '1 to 64, `auto`';
  if (choices) return choices.map((choice) => `\`${choice}\``).join(', ');
  if (minimum === undefined || maximum === undefined) return syntax === 'boolean' ? '`true`, `false`' : '';
  return `${textFromValue(syntax, minimum)} to ${textFromValue(syntax, maximum)}`;
}
