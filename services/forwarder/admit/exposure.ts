// Safe by default: an address that other machines can reach needs something that identifies senders, or the operator's
// explicit consent (SLUICE_INSECURE). One table has every address that Sluice listens on; a new setting for one does
// not compile without its row.

import { type Config, type SettingName, variableOf } from '#shared/config/settings.ts';
import { NO_READ_API } from '#shared/config/settings/read.ts';
import { SluiceError } from '#shared/errors.ts';
import { isLoopback, parseListenAddress } from '#shared/net/listen-address.ts';
import { holdsNearlyAll, parseNetwork } from '#shared/net/networks.ts';

/** What may be named in SLUICE_INSECURE. */
type Guarded = Config['insecure'] extends readonly (infer Name)[] | undefined ? Name : never;
/** Every setting that is an address to listen on. */
export type ListenSetting = Extract<SettingName, `${string}listen`>;

interface Guard {
  /** `read` is none of those that may be open to anyone: whoever reads has to show whose documents. */
  readonly input: Guarded | 'read';
  /**
   * Each of these rows of settings tells senders apart where all of the row are set; `allow_networks` does for all
   * inputs, but tells no reader's tenant.
   */
  readonly by: readonly (readonly SettingName[])[];
}

/** Our certificate identifies us, not the senders; only their own certificates do that. */
const CLIENT_CERTIFICATE = ['tls.client_ca', 'tls.cert'] as const;

const OPERATORS = [['admin.token'], ['admin.tokens'], ['admin.tls.client_ca', 'admin.tls.cert']] as const;

/** Whoever hears one handshake may try shorter keys at home, until one fits. */
const SHARED_KEY_LENGTH_MIN = 8;

const GUARDS: Readonly<Record<ListenSetting, Guard>> = {
  'forward.listen': { input: 'forward', by: [['shared_key'], ['users'], CLIENT_CERTIFICATE] },
  'http.listen': { input: 'http', by: [['http.tokens'], CLIENT_CERTIFICATE] },
  'syslog.listen': { input: 'syslog', by: [] },
  'syslog.tls_listen': { input: 'syslog', by: [CLIENT_CERTIFICATE] },
  'gelf.listen': { input: 'gelf', by: [] },
  'admin.listen': { input: 'admin', by: OPERATORS },
  'lag.listen': { input: 'admin', by: OPERATORS },
  'read.listen': { input: 'read', by: [['read.tokens']] },
};

/** The addresses of the forwarder's inputs. */
export const INPUT_LISTENERS = [
  'forward.listen',
  'http.listen',
  'syslog.listen',
  'syslog.tls_listen',
  'gelf.listen',
] as const satisfies readonly ListenSetting[];

export interface Exposure {
  readonly setting: ListenSetting;
  readonly input: Guard['input'];
  readonly address: string;
}

/** The addresses among `started` that are public though nothing guards them; those that SLUICE_INSECURE names too. */
export function exposures(config: Config, started: readonly ListenSetting[]): Exposure[] {
  const isNarrow = narrowsNetworks(config);
  return started.flatMap((setting) => {
    const { input, by } = GUARDS[setting];
    const address = config[setting];
    if (isNarrow && input !== 'read') return [];
    if (address === undefined || address === NO_READ_API || isLoopback(parseListenAddress(address))) return [];
    const isGuarded = by.some((row) => row.every((name) => guards(config, name)));
    return isGuarded ? [] : [{ setting, input, address }];
  });
}

function guards(config: Config, name: SettingName): boolean {
  return config[name] !== undefined && !(name === 'shared_key' && isShort(config));
}

function isShort({ shared_key: sharedKey }: Config): boolean {
  return sharedKey !== undefined && sharedKey.length < SHARED_KEY_LENGTH_MIN;
}

/** Those that the operator allowed. Throws config_invalid, with a line for each that is not allowed. */
export function admittedExposures(config: Config, started: readonly ListenSetting[]): Exposure[] {
  const all = exposures(config, started);
  const allowed: readonly string[] = config['insecure'] ?? [];
  const refused = all.filter(({ input }) => !allowed.includes(input));
  if (refused.length > 0)
    throw new SluiceError('config_invalid', refused.map((each) => refusal(each, config)).join('\n'));
  return all;
}

function refusal({ setting, input, address }: Exposure, config: Config): string {
  const guards = GUARDS[setting].by.map((row) => row.map(variableOf).join(' with '));
  if (input === 'read') {
    const remedy = `set ${guards.join(' or ')}, or listen on 127.0.0.1`;
    return `Cannot listen on ${address} for reading: anyone who reaches it could read all logs; ${remedy}`;
  }
  const settings = [...guards, variableOf('allow_networks')].join(' or ');
  const remedies = `set ${settings}, listen on 127.0.0.1, or say SLUICE_INSECURE=${input}`;
  const why =
    input === 'forward' && isShort(config)
      ? `the shared key has less than ${SHARED_KEY_LENGTH_MIN} characters`
      : 'anyone who reaches it could use it';
  return `Cannot listen on ${address} for ${input}: ${why}; ${remedies}`;
}

/** A list that holds nearly every address guards nothing, however it is cut into networks. */
function narrowsNetworks(config: Config): boolean {
  const networks = (config['allow_networks'] ?? []).map(parseNetwork).filter((network) => network !== null);
  return networks.length > 0 && !holdsNearlyAll(networks);
}
