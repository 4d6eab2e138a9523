// Writes what is made from other files: references, and the operator's form of the rules. `npm run docs`.

import { writeFileSync } from 'node:fs';
import { configurationReference } from '#shared/config/reference.ts';
import { errorReference } from '#shared/error-reference.ts';
import { savedObjects } from '#shared/store/kibana/data-view.ts';
import { dashboardFiles } from './grafana.ts';
import { metricsReference } from './metrics-reference.ts';
import { prometheusRule } from './prometheus-rule.ts';

writeFileSync('docs/configuration.md', configurationReference());
writeFileSync('docs/errors.md', errorReference());
writeFileSync('docs/metrics.md', metricsReference());
writeFileSync('infra/k8s/monitoring/prometheus-rule.yaml', prometheusRule());
writeFileSync('infra/kibana/sluice.ndjson', savedObjects());
for (const [file, json] of dashboardFiles()) writeFileSync(file, json);
