// The rules in the form of the Prometheus operator, made from the plain one. A test holds the file to it.

import { readFileSync } from 'node:fs';
import { parse, stringify } from 'yaml';

const RULES = 'infra/prometheus/rules.yaml';

export function prometheusRule(): string {
  const { groups } = parse(readFileSync(RULES, 'utf8')) as { groups: unknown[] };
  const resource = {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: { name: 'sluice' },
    spec: { groups },
  };
  return `# Made from ${RULES} by \`npm run docs\`; not written by hand.\n${stringify(resource, { lineWidth: 120 })}`;
}
