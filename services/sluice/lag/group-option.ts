// Which groups `sluice lag` looks at: those of the configuration, or one that `--group` names. The groups that read
// topics of others belong to the configured one, and are none of a group of another name.

import type { Config } from '#shared/config/settings.ts';

export function configOfGroup(config: Config, group: string | undefined): Config {
  return group === undefined ? config : { ...config, 'kafka.group': group, 'kafka.sources': [] };
}
