// How OpenSearch keeps and deletes the indices of a data stream: a policy of its plugin for index state management. It
// does what Elasticsearch's data stream lifecycle does: it rolls over by age and size, and deletes an index when its
// rollover is as old as documents are to be kept. Pure.
//
// Source: https://docs.opensearch.org/latest/im-plugin/ism/policies/

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** As Elasticsearch's lifecycle has it: so old an index grows at most, by how long documents are kept. */
const ROLLOVER_AGES: readonly (readonly [retentionMs: number, ageMs: number])[] = [
  [DAY_MS, HOUR_MS],
  [14 * DAY_MS, DAY_MS],
  [90 * DAY_MS, 7 * DAY_MS],
  [Infinity, 30 * DAY_MS],
];
const SHARD_BYTES_MAX = '50gb';
/** Above policies that an operator may have for `logs-*`. */
const PRIORITY = 250;

export const POLICY_PATH = '/_plugins/_ism/policies/sluice-logs';

/** `patterns`: of data streams. The plugin gives it to each index that is made from then on. */
export function retentionPolicy(retentionMs: number, patterns: readonly string[]): object {
  const age = ROLLOVER_AGES.find(([upTo]) => retentionMs <= upTo)?.[1] ?? DAY_MS;
  const states = [
    {
      name: 'written',
      actions: [{ rollover: { min_index_age: duration(age), min_primary_shard_size: SHARD_BYTES_MAX } }],
      transitions: [{ state_name: 'deleted', conditions: { min_rollover_age: duration(retentionMs) } }],
    },
    { name: 'deleted', actions: [{ delete: {} }], transitions: [] },
  ];
  return {
    policy: {
      description: `Made by sluice setup: documents are kept for ${duration(retentionMs)}`,
      default_state: 'written',
      states,
      ism_template: [{ index_patterns: patterns, priority: PRIORITY }],
    },
  };
}

/** Whole units, as the plugin takes them; never shorter than what was asked for. */
function duration(ms: number): string {
  if (ms % DAY_MS === 0) return `${ms / DAY_MS}d`;
  return ms % HOUR_MS === 0 ? `${ms / HOUR_MS}h` : `${Math.ceil(ms / 60_000)}m`;
}

/** What to add to the path so that just the policy that was read is replaced; null where it says the same already. */
export function policyChange(held: string, retentionMs: number): string | null {
  const wanted = `documents are kept for ${duration(retentionMs)}`;
  const text = held.slice(0, POLICY_TEXT_MAX);
  if (text.includes(`"description":"Made by sluice setup: ${wanted}"`)) return null;
  const sequence = /"_seq_no":(\d+)/.exec(text)?.[1] ?? '0';
  const term = /"_primary_term":(\d+)/.exec(text)?.[1] ?? '1';
  return `?if_seq_no=${sequence}&if_primary_term=${term}`;
}

const POLICY_TEXT_MAX = 100_000;
