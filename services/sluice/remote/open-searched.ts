// Opens what `sluice logs` and `sluice search` look in: another Sluice by its read API where its address is set, else
// the store of the configuration.

import type { Clock } from '#shared/clock.ts';
import { plainReadToken } from '#shared/config/plain-secrets.ts';
import type { Config } from '#shared/config/settings.ts';
import { openStore } from '#shared/open/open-store.ts';
import type { Store } from '#shared/store/store.ts';
import type { Searched } from '../search/result-tables.ts';

export const URL_HELP = `\
      --url URL       Ask the read API of another Sluice, such as https://logs.example:24233 (SLUICE_READ_URL)`;
export const URL_OPTIONS = { url: { type: 'string' } } as const;

export interface OpenSearchedOptions {
  /** In place of `read.url`. */
  readonly url?: string | undefined;
  readonly clock: Clock;
  /** Something that whoever searches should know. */
  readonly warn: (message: string) => void;
  readonly signal?: AbortSignal | undefined;
}

export type SearchedStore = Searched & Pick<Store, 'foundAfterMs'> & AsyncDisposable;

/** Rejects as openStore does, and where the other Sluice cannot be asked. */
export async function openSearched(config: Config, options: OpenSearchedOptions): Promise<SearchedStore> {
  const { clock, warn, signal } = options;
  const known = config['read.url'];
  const { url = known } = options;
  if (url === undefined) return openStore(config, { readOnly: true, clock, warn });
  // The token is of the server that the settings name, if they name one.
  const isAnother = known !== undefined && originOf(known) !== originOf(url);
  const token = isAnother ? undefined : config['read.token'];
  if (isAnother && config['read.token'] !== undefined)
    warn('the token is not shown to this server: it is another than that of SLUICE_READ_URL');
  for (const what of plainReadToken({ ...config, 'read.url': url, 'read.token': token })) warn(what);
  const [{ ReadClient }, { RemoteStore }] = await Promise.all([
    import('./read-client.ts'),
    import('./remote-store.ts'),
  ]);
  const client = new ReadClient({ url, token, caFile: config['read.ca'], clock });
  return RemoteStore.open({ client, clock, warn }, signal);
}

/** Of a unix socket, all of it. */
const originOf = (url: string): string => (url.startsWith('unix:') ? url : (URL.parse(url)?.origin ?? url));
