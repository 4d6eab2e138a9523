// Files with secrets that others of this machine may read or write. `sluice check` reports them, and each service logs
// them at its start. They are not refused: some mounts (of virtual machines, of Windows) show every file so. Pure.

import { type Config, type Setting, type SettingName, settings, variableOf } from './settings.ts';

const OTHERS_WRITE = 0o002;
const GROUP_WRITES = 0o020;
const OTHERS_READ = 0o004;

export interface SecretFileSources {
  readonly config: Config;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The file of settings; undefined: none. */
  readonly configFile?: string | undefined;
  /** Permissions of the file; null where nobody knows. */
  readonly modeOf: (path: string) => number | null;
}

/** A sentence each: which file, and what to do. */
export function exposedSecretFiles({ modeOf, ...sources }: SecretFileSources): string[] {
  const found: string[] = [];
  for (const [path, isSecret] of secretFilesOf(sources)) {
    const mode = modeOf(path);
    if (mode === null) continue;
    const shown = `${path} (${(mode & 0o777).toString(8).padStart(4, '0')})`;
    if ((mode & (OTHERS_WRITE | GROUP_WRITES)) !== 0)
      found.push(`Others may write to ${shown}, and so let themselves in: run chmod 0600 on it`);
    else if (isSecret && (mode & OTHERS_READ) !== 0)
      found.push(`Everybody may read the secrets in ${shown}: run chmod 0600 on it`);
  }
  return found;
}

/**
 * By path: whether who reads it knows a secret. Of tokens the files may have digests alone; tenants and authorities say
 * who is let in.
 */
function secretFilesOf({ config, env, configFile }: Omit<SecretFileSources, 'modeOf'>): Map<string, boolean> {
  const admitting = [
    config['http.tokens'],
    config['admin.tokens'],
    config['read.tokens'],
    config['tenants'],
    config['tls.client_ca'],
    config['admin.tls.client_ca'],
  ];
  const secrets = [
    config['users'],
    config['tls.key'],
    config['admin.tls.key'],
    config['read.tls.key'],
    config['kafka.tls_key'],
    config['elasticsearch.key'],
    config['elasticsearch.api_key_file'],
    config['elasticsearch.password_file'],
    config['elasticsearch.bearer_token_file'],
    ...Object.entries(env)
      .filter(([name]) => name.startsWith('SLUICE_') && name.endsWith('_FILE'))
      .map(([, path]) => path),
  ];
  const files = new Map<string, boolean>();
  if (configFile !== undefined) files.set(configFile, holdsSecrets(config, env));
  for (const path of admitting) if (path !== undefined) files.set(path, false);
  for (const path of secrets) if (path !== undefined && path !== '') files.set(path, true);
  return files;
}

/** Whether the file of settings does: a secret is set that no variable and no file of its own has. */
function holdsSecrets(config: Config, env: SecretFileSources['env']): boolean {
  return (Object.keys(settings) as SettingName[]).some((name) => {
    const { secret }: Setting = settings[name];
    const variable = variableOf(name);
    const fileSetting = `${name}_file`;
    const isElsewhere = env[variable] || env[`${variable}_FILE`] || Reflect.get(config, fileSetting) !== undefined;
    return secret === true && config[name] !== undefined && !isElsewhere;
  });
}
