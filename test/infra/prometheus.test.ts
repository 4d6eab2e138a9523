// Rules and configurations of infra/: read by the real programs, and every alert held to its cases, its runbook and its
// metrics.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { suite, test } from 'node:test';
import { parse } from 'yaml';
import { metricFacts } from '../../infra/build/metrics-reference.ts';

interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
}

interface Case {
  readonly promql_expr_test?: readonly {
    readonly expr: string;
    readonly eval_time: string;
    readonly exp_samples: readonly { readonly value: number }[];
  }[];
}

const RULES = 'infra/prometheus/rules.yaml';
const ALERTMANAGER = 'infra/alertmanager/alertmanager.yml';
const { groups } = parse(readFileSync(RULES, 'utf8')) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);
const alerts = rules.filter((rule) => rule.alert !== undefined);

function run(program: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  assert.equal(status, 0, `${program} ${args.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

const missing = (program: string): string | false =>
  spawnSync(program, ['--version']).error ? `SKIPPED: no ${program}` : false;

suite('promtool', { skip: missing('promtool') }, () => {
  test('reads the rules', () => {
    run('promtool', 'check', 'rules', '--lint-fatal', RULES);
  });

  test('finds every alert quiet, firing and resolved', () => {
    run('promtool', 'test', 'rules', 'infra/prometheus/rules.test.yaml');
  });

  for (const name of ['prometheus', 'prometheus-docker', 'prometheus-kubernetes']) {
    test(`reads ${name}.yml`, () => {
      const folder = mkdtempSync(join(tmpdir(), 'sluice-prometheus-'));
      try {
        const text = readFileSync(`infra/prometheus/${name}.yml`, 'utf8');
        // Debian's build knows no Kubernetes; all but the discovery itself is looked at.
        const known = text.replaceAll(
          /kubernetes_sd_configs:\n((?: +)- role: .*\n(?: +selectors:\n +- .*\n)?)/g,
          'static_configs: []\n',
        );
        symlinkSync(resolve(RULES), join(folder, 'rules.yaml'));
        writeFileSync(join(folder, 'prometheus.yml'), known);
        run('promtool', 'check', 'config', join(folder, 'prometheus.yml'));
        const { scrape_configs: jobs } = parse(text) as { scrape_configs: { job_name: string }[] };
        assert(jobs.some(({ job_name: job }) => job.startsWith('sluice')));
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }
});

suite('amtool', { skip: missing('amtool') }, () => {
  test('reads the configuration, and routes by severity', () => {
    run('amtool', 'check-config', ALERTMANAGER);
    const routed = (severity: string): string =>
      run('amtool', 'config', 'routes', 'test', `--config.file=${ALERTMANAGER}`, `severity=${severity}`).trim();
    assert.equal(routed('critical'), 'pager,chat');
    assert.equal(routed('warning'), 'chat');
  });

  test('names no alert that does not exist', () => {
    const names = new Set(alerts.map(({ alert = '' }) => alert));
    for (const [pattern] of readFileSync(ALERTMANAGER, 'utf8').matchAll(/Sluice[A-Za-z]+(?:\.\*)?/g)) {
      assert(
        [...names].some((name) => new RegExp(`^${pattern}$`).test(name)),
        pattern,
      );
    }
  });
});

test('every alert has a severity, words for people, a section in the runbook, and all three cases', () => {
  const runbook = readFileSync('docs/operations.md', 'utf8');
  const { tests } = parse(readFileSync('infra/prometheus/rules.test.yaml', 'utf8')) as { tests: Case[] };
  for (const { alert = '', labels, annotations } of alerts) {
    assert.match(labels?.['severity'] ?? '', /^(critical|warning)$/, alert);
    for (const name of ['summary', 'description']) assert(annotations?.[name], `${alert} has a ${name}`);
    const [file, anchor] = (annotations?.['runbook_url'] ?? '').split('#');
    assert.equal(file, 'docs/operations.md', alert);
    const heading = runbook
      .split('\n')
      .find((line) => line.startsWith('### ') && line.slice(4).toLowerCase() === anchor);
    assert(heading, `docs/operations.md has a section ### ${alert}`);
    const values = tests
      .flatMap((one) => one.promql_expr_test ?? [])
      .filter(({ expr }) => expr.includes(`alertname="${alert}"`))
      .map(({ exp_samples: [sample] }) => sample?.value);
    assert(values.join('').includes('010'), `${alert} is tested quiet, firing and resolved`);
  }
});

test('rules look at metrics that exist', () => {
  const known = new Set(metricFacts().map(({ name, type }) => (type === 'histogram' ? `${name}_bucket` : name)));
  const recorded = new Set(rules.map(({ record }) => record));
  for (const { expr } of rules) {
    for (const [name] of expr
      .replaceAll(/__name__=~"[^"]*"/g, (names) => names.replaceAll('|', ' '))
      .matchAll(/\bsluice[_:][\w:]+/g)) {
      const isKnown = name.includes(':') ? recorded.has(name) : known.has(name);
      assert(isKnown, `${name}, in ${expr}`);
    }
  }
});

test('the monitors of the operator give the jobs names that the rules look for', () => {
  for (const kind of ['pod', 'service']) {
    const text = readFileSync(`infra/k8s/monitoring/${kind}-monitor.yaml`, 'utf8');
    assert.match(text, /targetLabel: job\n +replacement: sluice-/);
    const { spec } = parse(text) as { spec: { selector: { matchLabels: Record<string, string> } } };
    assert.equal(spec.selector.matchLabels['app.kubernetes.io/name'], 'sluice');
  }
});
