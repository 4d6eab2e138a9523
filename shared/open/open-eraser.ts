// What erases from the store that the configuration names. It is loaded only when it is needed.

import type { Clock } from '#shared/clock.ts';
import type { Config } from '#shared/config/settings.ts';
import type { StoreEraser } from '../store/erase.ts';

/** `readOnly`: only to count. Rejects with data_dir_unusable, store_unavailable or config_invalid. */
export async function openEraser(
  config: Config,
  { clock, readOnly }: { readonly clock: Clock; readonly readOnly: boolean },
): Promise<StoreEraser> {
  const retentionMs = config['store.retention_ms'];
  const urls = config['elasticsearch.url'];
  if ((config.store ?? (urls === undefined ? 'embedded' : 'elasticsearch')) === 'embedded') {
    const [{ openEmbeddedStore }, { EmbeddedEraser }] = await Promise.all([
      import('../store/embedded/store.ts'),
      import('../store/embedded/eraser.ts'),
    ]);
    const told = new Set<string>();
    const options = {
      warn: (message: string) => void told.add(message),
      dataDir: config['data.dir'],
      namesMax: config['names.max_per_tenant'],
      readOnly,
      retentionMs,
      deletes: false,
      clock,
    };
    return new EmbeddedEraser(await openEmbeddedStore(options), told);
  }
  const [{ ElasticsearchEraser }, { loginOf }] = await Promise.all([
    import('../store/elasticsearch/eraser.ts'),
    import('../store/elasticsearch/login.ts'),
  ]);
  const bulkTimeoutMs = config['bulk.timeout_ms'];
  return new ElasticsearchEraser({
    urls: urls ?? [],
    ...loginOf(config),
    connections: 2,
    bulkTimeoutMs,
    retentionMs,
    refreshIntervalMs: config['elasticsearch.refresh_interval_ms'],
  });
}
