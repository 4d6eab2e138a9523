// From the environment and an optional YAML file to the effective configuration, by the one table in settings.ts.
// All mistakes are found in one go, a line each. Variables win over the file. Empty means unset.
// Pure but for `readFile`, which is given.

import { Value } from 'typebox/value';
import { SluiceError, reasonOf } from '#shared/errors.ts';
import { kafkaLoginMistakes, mskRegion } from './kafka-login.ts';
import { type Config, type Setting, type SettingName, settings, variableOf } from './settings.ts';
import { containerRuleMistakes } from './settings/container-rules.ts';
import { journalRuleMistakes } from './settings/journal-rules.ts';
import { fileRuleMistakes } from './settings/file-rules.ts';
import { sourceMistakes } from './settings/sources.ts';
import { maskedUrl, valueFromText } from './value-text.ts';
import { parseYaml } from './yaml-text.ts';

export interface ConfigSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Path of the YAML file, from `--config`; else SLUICE_CONFIG, else none. */
  readonly file?: string | undefined;
  readonly readFile: (path: string) => string;
  /** A function is called with records, and reads no queue: its `kafka.sources` need no brokers. */
  readonly isCalledWithRecords?: boolean;
}

/** Variables that Kubernetes makes for a service called "sluice-…"; never meant for us. */
const KUBERNETES_VARIABLE = /(_SERVICE_HOST|_SERVICE_PORT(_.*)?|_PORT|_PORT_\d+_(TCP|UDP)(_.*)?)$/;
/**
 * With our prefix, but not settings: the file's path, who started this process, which worker it is, and what the tests
 * are told by.
 */
const OTHER_VARIABLE = /^SLUICE_(CONFIG$|LAUNCHER$|WORKER_SEAT$|TEST_)/;

const names = Object.keys(settings) as SettingName[];
const nameOfVariable = new Map(names.map((name) => [variableOf(name), name]));
const setting = (name: SettingName): Setting => settings[name];

/** Throws config_invalid with every mistake on a line of its own. */
export function loadConfig(sources: ConfigSources): Config {
  const mistakes: string[] = [];
  const values = new Map<SettingName, unknown>();
  readYamlFile(sources, values, mistakes);
  readVariables(sources, values, mistakes);
  readSecretFiles(sources, values, mistakes);
  if (mistakes.length > 0) throw new SluiceError('config_invalid', mistakes.join('\n'));
  return complete(values, sources);
}

function complete(
  values: ReadonlyMap<SettingName, unknown>,
  { env, isCalledWithRecords = false }: ConfigSources,
): Config {
  const config: Record<string, unknown> = {};
  for (const name of names) config[name] = values.get(name) ?? setting(name).default;
  config['queue'] ??= config['kafka.brokers'] ? 'kafka' : 'embedded';
  config['store'] ??= config['elasticsearch.url'] ? 'elasticsearch' : 'embedded';
  const { 'kafka.sasl.mechanism': mechanism, 'kafka.brokers': brokers = [] } = config as Config;
  if (mechanism === 'aws-msk-iam') config['kafka.sasl.region'] ??= mskRegion(brokers, env);
  const mistakes = contradictions(config as Config, isCalledWithRecords);
  if (mistakes.length > 0) throw new SluiceError('config_invalid', mistakes.join('\n'));
  return config as Config;
}

function contradictions(config: Config, isCalledWithRecords: boolean): string[] {
  const mistakes: string[] = [];
  const needs = (wanted: boolean, name: SettingName, why: string): void => {
    if (wanted && config[name] === undefined) mistakes.push(`${variableOf(name)} is not set: ${why}`);
  };
  needs(config['queue'] === 'kafka', 'kafka.brokers', 'the queue is kafka; give host:port of some brokers');
  needs(config['store'] === 'elasticsearch', 'elasticsearch.url', 'the store is elasticsearch; give the URL of a node');
  mistakes.push(...kafkaLoginMistakes(config));
  needs(config['syslog.tls_listen'] !== undefined, 'tls.cert', 'syslog listens for TLS');
  needs(config['tls.cert'] !== undefined, 'tls.key', 'a certificate is set');
  if (config['kafka.topic'] === config['kafka.dead_letter_topic']) {
    // A dead letter would be read as a log record, fail, and become the next dead letter, without end.
    const topics = (['kafka.topic', 'kafka.dead_letter_topic'] as const).map(variableOf).join(', ');
    mistakes.push(`${topics}: both are "${config['kafka.topic']}"; give dead letters a topic of their own`);
  }
  const sources = config['kafka.sources'] ?? [];
  mistakes.push(...sourceMistakes(sources, [config['kafka.topic'], config['kafka.dead_letter_topic']]));
  if (sources.length > 0 && config['queue'] !== 'kafka' && !isCalledWithRecords)
    mistakes.push('kafka.sources: the queue is embedded; give SLUICE_KAFKA_BROKERS, or leave them out');
  mistakes.push(...fileRuleMistakes(config['collect.files'] ?? []));
  const { 'collect.kubernetes': kubernetes = {}, 'collect.docker': docker = {} } = config;
  mistakes.push(...containerRuleMistakes({ kubernetes, docker }));
  mistakes.push(...journalRuleMistakes(config['collect.journal'] ?? {}));
  const zone = config['syslog.time_zone'];
  if (zone !== undefined && !isTimeZone(zone)) {
    mistakes.push(`${variableOf('syslog.time_zone')}="${zone}" is no time zone; one is Europe/Berlin, or UTC`);
  }
  needs(config['elasticsearch.username'] !== undefined, 'elasticsearch.password', 'a user is set');
  needs(config['elasticsearch.cert'] !== undefined, 'elasticsearch.key', 'a client certificate is set');
  needs(config['elasticsearch.key'] !== undefined, 'elasticsearch.cert', 'its key is set');
  const logins = (['elasticsearch.api_key', 'elasticsearch.bearer_token', 'elasticsearch.username'] as const).filter(
    (name) => config[name] !== undefined,
  );
  if (logins.length > 1) mistakes.push(`${logins.map(variableOf).join(', ')}: one of them is enough; unset the others`);
  if (config['elasticsearch.ca'] !== undefined && config['elasticsearch.ca_fingerprint'] !== undefined) {
    mistakes.push(
      'SLUICE_ELASTICSEARCH_CA, SLUICE_ELASTICSEARCH_CA_FINGERPRINT: one of them is enough; unset the other',
    );
  }
  needs(config['kibana.url'] !== undefined, 'elasticsearch.url', 'Kibana shows what Elasticsearch holds');
  needs(config['kibana.username'] !== undefined, 'kibana.password', 'a user of Kibana is set');
  const newestTls = config['tls.max_version'];
  if (newestTls !== undefined && newestTls < config['tls.min_version']) {
    mistakes.push(
      `SLUICE_TLS_MAX_VERSION=${newestTls} is older than SLUICE_TLS_MIN_VERSION=${config['tls.min_version']}`,
    );
  }
  const certified = config['tls.key'] !== undefined || config['tls.client_ca'] !== undefined;
  needs(certified, 'tls.cert', 'a key, or the authority of clients, is set');
  const adminCertified = config['admin.tls.key'] !== undefined || config['admin.tls.client_ca'] !== undefined;
  needs(adminCertified, 'admin.tls.cert', 'a key, or the authority of clients, of the admin page is set');
  needs(config['admin.tls.cert'] !== undefined, 'admin.tls.key', 'a certificate of the admin page is set');
  needs(config['read.tls.key'] !== undefined, 'read.tls.cert', 'a key of the read API is set');
  needs(config['read.tls.cert'] !== undefined, 'read.tls.key', 'a certificate of the read API is set');
  return mistakes;
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function readVariables({ env, readFile }: ConfigSources, values: Map<SettingName, unknown>, mistakes: string[]): void {
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith('SLUICE_') || text === undefined || text === '' || OTHER_VARIABLE.test(variable)) continue;
    const plain = nameOfVariable.get(variable);
    if (plain) {
      take(plain, text, variable, values, mistakes);
      continue;
    }
    const secret = variable.endsWith('_FILE') ? nameOfVariable.get(variable.slice(0, -'_FILE'.length)) : undefined;
    if (secret && setting(secret).secret) {
      try {
        take(secret, readFile(text).trim(), variable, values, mistakes);
      } catch (error) {
        mistakes.push(`${variable}: cannot read ${text}: ${reasonOf(error)}`);
      }
    } else if (!KUBERNETES_VARIABLE.test(variable)) {
      mistakes.push(`${variable} is not a setting${nearest(variable, [...nameOfVariable.keys()])}`);
    }
  }
}

/** Of secrets whose files are settings themselves, because they are read again while Sluice runs. */
function readSecretFiles({ readFile }: ConfigSources, values: Map<SettingName, unknown>, mistakes: string[]): void {
  for (const name of names) {
    const path = values.get(name);
    const secret = twinOf(name);
    if (secret === undefined || setting(name).secret || typeof path !== 'string') continue;
    try {
      check(secret, readFile(path).trim(), `${variableOf(name)}=(secret)`, values, mistakes);
      values.set(name, path);
    } catch (error) {
      mistakes.push(`${variableOf(name)}: cannot read ${path}: ${reasonOf(error)}`);
    }
  }
}

/** The setting of a secret's file and that of the secret are twins: whichever is given last counts. */
function twinOf(name: SettingName): SettingName | undefined {
  const twin = name.endsWith('_file') ? name.slice(0, -'_file'.length) : `${name}_file`;
  return isSettingName(twin) ? twin : undefined;
}

function take(
  name: SettingName,
  text: string,
  where: string,
  values: Map<SettingName, unknown>,
  mistakes: string[],
): void {
  const parsed = valueFromText(setting(name).syntax, text);
  const shown = setting(name).secret ? '(secret)' : JSON.stringify(maskedUrl(text));
  if ('mistake' in parsed) mistakes.push(`${where}=${shown}: ${parsed.mistake}`);
  else check(name, parsed.value, `${where}=${shown}`, values, mistakes);
}

function check(
  name: SettingName,
  value: unknown,
  where: string,
  values: Map<SettingName, unknown>,
  mistakes: string[],
): void {
  const { schema, syntax } = setting(name);
  if (Value.Check(schema, value)) {
    values.set(name, value);
    const twin = twinOf(name);
    if (twin !== undefined) values.delete(twin);
  } else if (syntax === 'yaml') mistakes.push(...treeMistakes(schema, value, where));
  else {
    const why = [...Value.Errors(schema, value)][0]?.message ?? 'is not valid';
    mistakes.push(`${where}: ${why}${allowed(setting(name))}`);
  }
}

/** With the place in the tree; a key that is not known is told where it is. */
function treeMistakes(schema: Setting['schema'], value: unknown, where: string): string[] {
  return [...Value.Errors(schema, value)]
    .filter(({ keyword }) => keyword !== 'additionalProperties')
    .map(({ keyword, instancePath, message }) => {
      const place = instancePath.replaceAll('/', '.');
      return `${where.split('=', 1)[0]}${place} ${keyword === 'boolean' ? 'is no known key' : message}`;
    });
}

function allowed({ syntax, schema, choices: listed }: Setting): string {
  if (syntax === 'count') return ' (1 to 64, or auto)';
  const { enum: one, minimum, maximum } = schema as { enum?: string[]; minimum?: number; maximum?: number };
  const choices = one ?? listed;
  if (choices) return ` (${choices.join(', ')})`;
  return minimum === undefined ? '' : ` (${minimum} to ${maximum})`;
}

function readYamlFile(
  { env, file, readFile }: ConfigSources,
  values: Map<SettingName, unknown>,
  mistakes: string[],
): void {
  const path = file ?? (env['SLUICE_CONFIG'] || undefined);
  if (path === undefined) return;
  let tree: unknown;
  try {
    tree = parseYaml(readFile(path));
  } catch (error) {
    mistakes.push(`${path}: cannot read the configuration: ${reasonOf(error)}`);
    return;
  }
  if (tree === null || tree === undefined) return;
  walk(tree, '', (name, value) => {
    const where = `${path}: ${name}`;
    if (!isSettingName(name)) mistakes.push(`${where} is not a setting${nearest(name, names)}`);
    else if (typeof value === 'string') take(name, value, where, values, mistakes);
    else check(name, value, where, values, mistakes);
  });
}

/**
 * Calls `leaf` with the dotted name of everything below that is not a map of settings. A setting may have others below
 * it (`queue`, `queue.max_bytes`) by the key `_`.
 */
function walk(node: unknown, path: string, leaf: (name: string, value: unknown) => void): void {
  if (node === null || node === '') return;
  if (typeof node !== 'object' || Array.isArray(node) || isMap(path)) {
    leaf(path, node);
    return;
  }
  for (const [key, child] of Object.entries(node))
    walk(child, key === '_' ? path : path ? `${path}.${key}` : key, leaf);
}

/** Whether the value of the setting is a map itself. */
function isMap(name: string): boolean {
  return isSettingName(name) && (setting(name).schema as { type?: string }).type === 'object';
}

function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(settings, name);
}

/** " (did you mean x?)" where one of the known names is near. */
function nearest(name: string, known: readonly string[]): string {
  const best = known
    .map((candidate) => ({ candidate, distance: editDistance(name, candidate) }))
    .sort((a, b) => a.distance - b.distance)[0];
  return best && best.distance <= 3 ? `; did you mean ${best.candidate}?` : '';
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(change, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    previous = row;
  }
  return previous[b.length] ?? 0;
}
