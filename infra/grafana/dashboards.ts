// All dashboards, as tables; infra/build/grafana.ts makes Grafana's JSON of them. A test runs every query against a
// real Prometheus that watched a real run; panels that may find nothing in a healthy one say so.

import { edge } from './edge.ts';
import { indexer } from './indexer.ts';
import { overview } from './overview.ts';
import type { Dashboard } from './panels.ts';
import { queue } from './queue.ts';
import { tenant } from './tenant.ts';

export const dashboards: readonly Dashboard[] = [overview, edge, queue, indexer, tenant];
