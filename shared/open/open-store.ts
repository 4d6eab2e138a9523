// Opens the store that the configuration names, and loads only its code.

import { type Clock, systemClock } from '#shared/clock.ts';
import type { Config } from '#shared/config/settings.ts';
import type { Store } from '../store/store.ts';

export interface OpenStoreOptions {
  /** For reading commands: works while another process writes, and never makes or deletes anything. */
  readonly readOnly?: boolean;
  /**
   * For services: whether it deletes what is older than the retention, or more than the bound (embedded store). A
   * command of another shell may not have their settings.
   */
  readonly deletes?: boolean;
  readonly clock?: Clock;
  /** Something that an operator should know. */
  readonly warn?: (message: string) => void;
}

/**
 * Rejects with data_dir_unusable, store_unavailable or config_invalid. Elasticsearch need not be there yet: see
 * Store.ping.
 */
export async function openStore(config: Config, options: OpenStoreOptions = {}): Promise<Store> {
  const { readOnly = false, deletes = false, clock = systemClock } = options;
  const retentionMs = config['store.retention_ms'];
  if (storeKind(config) === 'embedded') {
    const [{ openEmbeddedStore }, { defaultBytesMax }] = await Promise.all([
      import('../store/embedded/store.ts'),
      import('../store/embedded/space/bound-default.ts'),
    ]);
    const dataDir = config['data.dir'];
    return openEmbeddedStore({
      dataDir,
      readOnly,
      retentionMs,
      namesMax: config['names.max_per_tenant'],
      bytesMax: deletes ? (config['store.max_bytes'] ?? defaultBytesMax(dataDir)) : undefined,
      deletes,
      clock,
      ...(options.warn && { warn: options.warn }),
    });
  }
  const [{ ElasticsearchStore }, { loginOf }] = await Promise.all([
    import('../store/elasticsearch/store.ts'),
    import('../store/elasticsearch/login.ts'),
  ]);
  return new ElasticsearchStore({
    urls: config['elasticsearch.url'] ?? [],
    ...loginOf(config),
    // Two more than bulk requests: a ping or a search need not wait for them.
    connections: config['bulk.concurrency'] + 2,
    bulkTimeoutMs: config['bulk.timeout_ms'],
    retentionMs,
    layout: {
      mode: config['elasticsearch.index_mode'],
      keepsOriginal: config['event.original'],
      hasNumberFields: config['elasticsearch.number_fields'] > 0,
      shards: config['elasticsearch.shards'],
      replicas: config['elasticsearch.replicas'],
      refreshIntervalMs: config['elasticsearch.refresh_interval_ms'],
    },
  });
}

function storeKind(config: Config): 'embedded' | 'elasticsearch' {
  return config.store ?? (config['elasticsearch.url'] === undefined ? 'embedded' : 'elasticsearch');
}
