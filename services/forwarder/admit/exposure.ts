// Safe by default: an address that others than this machine can reach needs something that tells senders apart, or the operator's word
// that none is wanted (SLUICE_INSECURE). One table for all inputs and the admin page.

import { type Config, type SettingName, variableOf } from '#shared/config/settings.ts';
import { SluiceError } from '#shared/errors.ts';
import { isLoopback, parseListenAddress } from '#shared/listen-address.ts';
import { parseNetwork } from '#shared/networks.ts';

/** What may be named in SLUICE_INSECURE. */
export type Guarded = Config['insecure'] extends readonly (infer Name)[] | undefined ? Name : never;

interface Guard {
  /** The setting of its address. */
  readonly listen: SettingName;
  /** Each of these settings tells senders apart; `allow_networks` does for all. */
  readonly by: readonly SettingName[];
}

const GUARDS: Readonly<Record<Guarded, Guard>> = {
  forward: { listen: 'forward.listen', by: ['shared_key', 'users', 'tls.cert'] },
  http: { listen: 'http.listen', by: ['http.tokens', 'tls.cert'] },
  syslog: { listen: 'syslog.listen', by: [] },
  gelf: { listen: 'gelf.listen', by: [] },
  admin: { listen: 'admin.listen', by: [] },
};

export interface Exposure {
  readonly input: Guarded;
  readonly address: string;
}

/** The inputs among `started` that listen publicly though nothing guards them; those that SLUICE_INSECURE names too. */
export function exposures(config: Config, started: readonly Guarded[]): Exposure[] {
  if (narrowsNetworks(config)) return [];
  return started.flatMap((input) => {
    const { listen, by } = GUARDS[input];
    const address = config[listen];
    if (typeof address !== 'string' || isLoopback(parseListenAddress(address))) return [];
    return by.some((name) => config[name] !== undefined) ? [] : [{ input, address }];
  });
}

/** Those of them that the operator asked for. Throws config_invalid, a line for each that nobody asked for. */
export function admittedExposures(config: Config, started: readonly Guarded[]): Exposure[] {
  const all = exposures(config, started);
  const refused = all.filter(({ input }) => !config['insecure']?.includes(input));
  if (refused.length > 0) throw new SluiceError('config_invalid', refused.map(refusal).join('\n'));
  return all;
}

function refusal({ input, address }: Exposure): string {
  const { by } = GUARDS[input];
  const settings = [...by, 'allow_networks'].map(variableOf);
  return `Cannot listen on ${address} for ${input}: anyone who reaches it could use it; set ${settings.join(' or ')}, listen on 127.0.0.1, or say SLUICE_INSECURE=${input}`;
}

/** A list that holds every address guards nothing. */
function narrowsNetworks(config: Config): boolean {
  const networks = config['allow_networks'] ?? [];
  return networks.length > 0 && !networks.some((text) => parseNetwork(text)?.prefixBits === 0);
}
