// The embedded store for `sluice store`, which looks after its files. Elasticsearch looks after its own.

import type { Clock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import type { Config } from '#shared/config/settings.ts';
import type { EmbeddedStore } from '../store/embedded/store.ts';

export interface OpenStoreFilesOptions {
  readonly clock: Clock;
  readonly readOnly: boolean;
  /** What the files may have, where that is asked for; nothing is deleted for it. */
  readonly bytesMax?: number;
  /** Of damage, above all. */
  readonly warn: (message: string) => void;
}

/** Rejects with usage_wrong where the store is another one, data_dir_unusable or store_unavailable. */
export async function openStoreFiles(
  config: Config,
  { clock, readOnly, bytesMax, warn }: OpenStoreFilesOptions,
): Promise<EmbeddedStore> {
  if ((config.store ?? (config['elasticsearch.url'] === undefined ? 'embedded' : 'elasticsearch')) !== 'embedded')
    throw new SluiceError(
      'usage_wrong',
      'Cannot look after the store: it is Elasticsearch, and this is for the embedded one; unset ' +
        'SLUICE_ELASTICSEARCH_URL, or set SLUICE_STORE=embedded',
    );
  const { openEmbeddedStore } = await import('../store/embedded/store.ts');
  return openEmbeddedStore({
    dataDir: config['data.dir'],
    readOnly,
    retentionMs: config['store.retention_ms'],
    namesMax: config['names.max_per_tenant'],
    bytesMax,
    // A service has its own settings for that.
    deletes: false,
    clock,
    warn,
  });
}

/** What a service with this configuration lets the files have. */
export async function storeBytesMax(config: Config): Promise<number> {
  const { defaultBytesMax } = await import('../store/embedded/space/bound-default.ts');
  return config['store.max_bytes'] ?? defaultBytesMax(config['data.dir']);
}
