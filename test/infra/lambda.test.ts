// The templates of the Lambda functions, without an account: cfn-lint knows the schemas of CloudFormation and what AWS
// SAM makes of them. And what AWS cannot know: whether the settings exist, and agree with the event sources.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { parse } from 'yaml';
import { loadConfig } from '#shared/config/load.ts';
import { pythonPackage } from './installed.ts';

const folder = join(import.meta.dirname, '../../infra/lambda');
const templates = globSync('*.yaml', { cwd: folder });
const LINTER = 'cfn-lint==1.58.0';
// Parameters of the event source that was not chosen are empty, as no address or secret may be.
const IGNORED = 'W1030';

const missing = spawnSync('python3', ['-m', 'pip', '--version']).status !== 0;

function lint(file: string): { code: number | null; says: string } {
  const packages = pythonPackage(LINTER);
  const args = [join(packages, 'bin/cfn-lint'), '--ignore-checks', IGNORED, '--', file];
  const { status, stdout, stderr } = spawnSync('python3', args, {
    env: { ...process.env, PYTHONPATH: packages },
    encoding: 'utf8',
  });
  return { code: status, says: stdout + stderr };
}

interface Resource {
  readonly Type: string;
  readonly Properties: {
    readonly Handler?: string;
    readonly Timeout?: number;
    readonly Environment?: { readonly Variables: Readonly<Record<string, unknown>> };
    readonly FunctionName?: string;
    readonly FunctionResponseTypes?: readonly string[];
  };
}

/** `!Ref X` and the like become their text. */
function resourcesOf(template: string): [name: string, resource: Resource][] {
  const text = readFileSync(join(folder, template), 'utf8');
  const { Resources }: { Resources: Record<string, Resource> } = parse(text, { logLevel: 'error' });
  return Object.entries(Resources);
}

suite('templates', { skip: missing ? 'SKIPPED: no python3 with pip' : false }, () => {
  for (const template of templates) {
    test(`${template} is valid`, () => {
      const { code, says } = lint(join(folder, template));
      assert.equal(code, 0, says);
    });
  }

  test('a mistake is found', () => {
    const own = mkdtempSync(join(tmpdir(), 'sluice-template-'));
    try {
      const file = join(own, 'template.yaml');
      const right = readFileSync(join(folder, 'template.yaml'), 'utf8');
      writeFileSync(file, right.replace('[ReportBatchItemFailures]', '[ReportItemFailures]'));
      const { code, says } = lint(file);
      assert.notEqual(code, 0);
      assert.match(says, /'ReportItemFailures' is not one of/);
    } finally {
      rmSync(own, { recursive: true });
    }
  });
});

test('the roles may do what is named, to what is named', () => {
  for (const template of templates) {
    const text = readFileSync(join(folder, template), 'utf8');
    assert.doesNotMatch(text, /arn:.*:iam::aws:policy/, "AWS's own policies are for all resources of an account");
    assert.doesNotMatch(text, /Action: *['"[]*[\w-]*:?\*/, 'an action of any kind');
    for (const [, actions = ''] of text.matchAll(/Action: \[(.*)\]\n\s*Resource: '\*'/g)) {
      for (const action of actions.split(',')) assert.match(action, /'ec2:Describe\w+'/, 'for any resource');
    }
  }
});

for (const template of templates) {
  test(`${template}: settings exist, and agree with the event sources`, () => {
    const resources = resourcesOf(template);
    const functions = resources.filter(([, { Type }]) => Type === 'AWS::Serverless::Function');
    assert.ok(functions.length > 0);
    for (const [name, { Properties }] of functions) {
      const variables = Object.entries(Properties.Environment?.Variables ?? {});
      const env = Object.fromEntries(variables.map(([variable, value]) => [variable, String(value)]));
      const config = loadConfig({ env, readFile: () => '' });
      const timeoutMs = (Properties.Timeout ?? 3) * 1000;
      assert.ok(timeoutMs > config['lambda.deadline_margin_ms'], `${name}: no time is left to work`);
      const sources = resources.filter(
        ([
          ,
          {
            Type,
            Properties: { FunctionName },
          },
        ]) => Type === 'AWS::Lambda::EventSourceMapping' && FunctionName === name,
      );
      for (const [source, { Properties: mapping }] of sources) {
        const reports = mapping.FunctionResponseTypes?.includes('ReportBatchItemFailures') ?? false;
        assert.equal(reports, config['lambda.report_item_failures'], source);
      }
      const bundle = /^([\w-]+)\.handler$/.exec(Properties.Handler ?? '')?.[1];
      const built = readFileSync(join(folder, '../build/bundle.ts'), 'utf8');
      assert.ok(built.includes(`'dist/${bundle}.mjs'`), `${name}: nothing builds ${bundle}.mjs`);
    }
  });
}
