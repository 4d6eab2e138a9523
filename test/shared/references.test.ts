import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { configurationReference } from '#shared/config/reference.ts';
import { errorReference } from '#shared/error-reference.ts';
import { savedObjects } from '#shared/store/kibana/data-view.ts';
import { dashboardFiles } from '../../infra/build/grafana.ts';
import { metricsReference } from '../../infra/build/metrics-reference.ts';
import { prometheusRule } from '../../infra/build/prometheus-rule.ts';

for (const [file, made] of [
  ['docs/configuration.md', configurationReference()],
  ['docs/errors.md', errorReference()],
  ['docs/metrics.md', metricsReference()],
  ['infra/k8s/monitoring/prometheus-rule.yaml', prometheusRule()],
  ['infra/kibana/sluice.ndjson', savedObjects()],
  ...dashboardFiles(),
] as const) {
  test(`${file} says what the table says (else: npm run docs)`, () => {
    assert.equal(readFileSync(file, 'utf8'), made);
  });
}
