// The manifests, without a cluster: each kustomization is built by kustomize, and what it gives is validated by the
// schemas of Kubernetes and of KEDA.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { suite, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { loadConfig } from '#shared/config/load.ts';
import { cached, pythonPackage } from './installed.ts';

const root = join(import.meta.dirname, '../..');
const KUBERNETES = '1.34';
const KUSTOMIZE = 'sigs.k8s.io/kustomize/kustomize/v5@v5.7.1';
const VALIDATOR = 'kubernetes-validate==1.37.0';
const KEDA = 'github.com/kedacore/keda/v2@v2.18.1';

const missing = [
  ['go', 'version'],
  ['python3', '-m', 'pip', '--version'],
].find(([program = '', ...args]) => spawnSync(program, args).status !== 0);

function kustomize(): string {
  const folder = cached(KUSTOMIZE, (to) => {
    execFileSync('go', ['install', KUSTOMIZE], { env: { ...process.env, GOBIN: to }, stdio: 'pipe' });
  });
  return join(folder, 'kustomize');
}

/** Files of KEDA's custom resource definitions. */
function customDefinitions(): string[] {
  const { Dir } = JSON.parse(
    execFileSync('go', ['mod', 'download', '-json', KEDA], { cwd: tmpdir(), encoding: 'utf8', stdio: 'pipe' }),
  );
  return ['scaledobjects', 'scaledjobs'].map((kind) => join(Dir, `config/crd/bases/keda.sh_${kind}.yaml`));
}

function validate(manifests: string): { code: number | null; says: string } {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-manifests-'));
  try {
    const file = join(folder, 'manifests.yaml');
    writeFileSync(file, manifests);
    const script = join(import.meta.dirname, 'validate.py');
    const { status, stdout, stderr } = spawnSync('python3', [script, KUBERNETES, file, ...customDefinitions()], {
      env: { ...process.env, PYTHONPATH: pythonPackage(VALIDATOR) },
      encoding: 'utf8',
    });
    return { code: status, says: stdout + stderr };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const built = (name: string): string =>
  execFileSync(kustomize(), ['build', join(root, 'infra/k8s', name)], { encoding: 'utf8' });

/** A manifest, as far as it is looked at here. */
type Manifest = ReturnType<ReturnType<typeof parseAllDocuments>[number]['toJS']>;

const documentsOf = (manifests: string): Manifest[] =>
  parseAllDocuments(manifests).map((document): Manifest => document.toJS());

/** The template of the pods that a workload makes; undefined for what makes none. */
const templateOf = ({ spec }: Manifest): Manifest => (spec?.jobTargetRef ?? spec?.jobTemplate?.spec ?? spec)?.template;

const isSubset = (part: Record<string, unknown>, whole: Record<string, unknown>): boolean =>
  Object.entries(part).every(([key, value]) => whole[key] === value);

suite('manifests', { skip: missing ? `SKIPPED: no ${missing.join(' ')}` : false }, () => {
  for (const name of ['central', 'edge', 'edge-journal', 'keda', 'keda-jobs', 'cron', 'demo']) {
    test(`${name}: valid, and every pod is held as tight as it can be`, () => {
      const manifests = built(name);
      const { code, says } = validate(manifests);
      assert.equal(code, 0, says);

      let pods = 0;
      for (const document of documentsOf(manifests)) {
        const { kind } = document;
        const pod = templateOf(document)?.spec;
        if (!pod) continue;
        pods++;
        assert.equal(pod.enableServiceLinks, false, `${kind}: the variables of services are not settings`);
        assert.equal(pod.automountServiceAccountToken, false, kind);
        assert.equal(pod.securityContext.seccompProfile.type, 'RuntimeDefault', kind);
        for (const { securityContext, resources } of [...pod.containers, ...(pod.initContainers ?? [])]) {
          assert.equal(securityContext.readOnlyRootFilesystem, true, kind);
          assert.equal(securityContext.allowPrivilegeEscalation, false, kind);
          assert.deepEqual(securityContext.capabilities.drop, ['ALL'], kind);
          assert.ok(resources.limits.memory && resources.requests.memory && resources.requests.cpu, kind);
        }
      }
      assert.ok(pods > 0);
    });

    test(`${name}: every pod is under a policy, and metrics are for Prometheus alone`, () => {
      const documents = documentsOf(built(name));
      const policies = documents.filter(({ kind }) => kind === 'NetworkPolicy');
      for (const template of documents.map(templateOf).filter(Boolean)) {
        for (const type of ['Ingress', 'Egress']) {
          const isHeld = policies.some(
            ({ spec }) =>
              spec.policyTypes.includes(type) && isSubset(spec.podSelector.matchLabels, template.metadata.labels),
          );
          assert.ok(isHeld, `${JSON.stringify(template.metadata.labels)} may have any ${type}`);
        }
      }
      for (const { from = [], ports } of policies.flatMap(({ spec }) => spec.ingress ?? [])) {
        const isScrape = ports.some(({ port }: { port: number }) => port === 24231 || port === 24232);
        if (!isScrape) continue;
        assert.ok(from.length > 0, 'anyone may read the metrics');
        for (const peer of from) assert.ok(peer.podSelector?.matchLabels && peer.namespaceSelector?.matchLabels);
      }
    });

    test(`${name}: what is named is there`, () => {
      const documents = documentsOf(built(name));
      const templates = documents.map(templateOf).filter(Boolean);
      for (const { kind, metadata, spec } of documents) {
        const selector = spec?.podSelector?.matchLabels ?? spec?.selector?.matchLabels ?? spec?.selector;
        if (!selector) continue;
        const isMet = templates.some((template) => isSubset(selector, template.metadata.labels));
        assert.ok(isMet, `${kind} ${metadata.name} selects no pod: ${JSON.stringify(selector)}`);
      }
      const settings = new Map<string, Record<string, string>>();
      for (const { kind, metadata, data } of documents) if (kind === 'ConfigMap') settings.set(metadata.name, data);
      for (const { spec } of templates) {
        for (const { image, envFrom = [], env = [] } of spec.containers) {
          assert.notEqual(image, 'sluice', 'an image without a registry and a version');
          const given: Record<string, string> = {};
          for (const { configMapRef } of envFrom) {
            assert.ok(settings.has(configMapRef.name), configMapRef.name);
            Object.assign(given, settings.get(configMapRef.name));
          }
          for (const variable of env) given[variable.name] = variable.value ?? 'of the pod';
          loadConfig({ env: given, readFile: () => '' });
        }
      }
    });
  }

  test('edge reads the logs of pods as nobody but root’s group, and cannot write to them', () => {
    const spec = documentsOf(built('edge')).find(({ kind }) => kind === 'DaemonSet')?.spec.template.spec;
    const { runAsNonRoot, runAsUser, supplementalGroups } = spec.securityContext;
    assert.deepEqual([runAsNonRoot, runAsUser, supplementalGroups], [true, 65_532, [0]]);
    const { volumeMounts, securityContext } = spec.containers[0];
    assert.equal(securityContext.capabilities.add, undefined);
    const pods = volumeMounts.find(({ name }: { name: string }) => name === 'pods');
    assert.deepEqual(pods, { name: 'pods', mountPath: '/var/log/pods', readOnly: true });
  });

  test('edge-journal reads the journal as one of its group, and can neither write to it nor make its folder', () => {
    const spec = documentsOf(built('edge-journal')).find(({ kind }) => kind === 'DaemonSet')?.spec.template.spec;
    assert.deepEqual(spec.securityContext.supplementalGroups, [0, 999]);
    const [{ env, volumeMounts }] = spec.containers;
    assert.ok(env.some(({ name }: Manifest) => name === 'SLUICE_COLLECT_JOURNAL'));
    const mounted = volumeMounts.filter(({ mountPath }: Manifest) => /journal|machine-id/.test(mountPath));
    assert.deepEqual(
      mounted.map(({ mountPath, readOnly }: Manifest) => [mountPath, readOnly]),
      [
        ['/etc/machine-id', true],
        ['/var/log/journal', true],
        ['/run/log/journal', true],
      ],
    );
    const { hostPath } = spec.volumes.find(({ name }: Manifest) => name === 'journal');
    assert.deepEqual(hostPath, { path: '/var/log/journal', type: 'Directory' });
  });

  test('edge may read pods and nothing else, and only its forwarders have a token', () => {
    const documents = documentsOf(built('edge'));
    const rules = documents.flatMap(({ kind, rules }) => (kind.endsWith('Role') ? rules : []));
    assert.deepEqual(rules, [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch'] }]);
    const [binding, ...others] = documents.filter(({ kind }) => kind.endsWith('RoleBinding'));
    assert.equal(others.length, 0);
    assert.deepEqual(binding.subjects, [{ kind: 'ServiceAccount', name: 'sluice-edge', namespace: 'sluice' }]);
    for (const spec of documents.map((document) => templateOf(document)?.spec).filter(Boolean)) {
      const accounts = (spec.volumes ?? []).filter(({ projected }: Manifest) => projected !== undefined);
      const isEdge = spec.serviceAccountName === 'sluice-edge';
      assert.equal(accounts.length, isEdge ? 1 : 0);
      if (!isEdge) continue;
      const mountsOf = ({ volumeMounts }: Manifest): Manifest[] =>
        volumeMounts.filter(({ name }: Manifest) => name === accounts[0].name);
      assert.equal(spec.initContainers.flatMap(mountsOf).length, 0);
      assert.deepEqual(
        spec.containers.flatMap(mountsOf).map(({ mountPath }: Manifest) => mountPath),
        ['/var/run/secrets/kubernetes.io/serviceaccount'],
      );
      assert.ok(spec.containers[0].env.some(({ name }: Manifest) => name === 'NODE_NAME'));
    }
    // What it is told to collect is what asks the API.
    const env = documents.find(({ kind }) => kind === 'DaemonSet').spec.template.spec.containers[0].env;
    const { value } = env.find(({ name }: Manifest) => name === 'SLUICE_COLLECT_KUBERNETES');
    assert.equal(JSON.parse(value).metadata ?? 'auto', 'auto');
  });

  test('sidecar: valid in the Deployments that ask for it, and in no other', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-sidecar-'));
    try {
      const deployment = (name: string, labels: string): string => `apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name}, labels: { ${labels} } }
spec:
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec:
      containers:
        - { name: app, image: 'app:1', volumeMounts: [{ name: app-logs, mountPath: /srv/logs }] }
`;
      const both = [deployment('shop', 'sluice-logs: files'), deployment('other', 'app: other')];
      writeFileSync(join(folder, 'deployments.yaml'), both.join('---\n'));
      const component = relative(realpathSync(folder), join(root, 'infra/k8s/sidecar'));
      writeFileSync(
        join(folder, 'kustomization.yaml'),
        `resources: [deployments.yaml]\ncomponents: ['${component}']\n`,
      );
      const manifests = execFileSync(kustomize(), ['build', folder], { encoding: 'utf8' });
      const { code, says } = validate(manifests);
      assert.equal(code, 0, says);
      const documents = documentsOf(manifests);
      const settings = documents.find(({ kind }) => kind === 'ConfigMap');
      loadConfig({ env: settings.data, readFile: () => '' });
      const deployments = documents.filter(({ kind }) => kind === 'Deployment');
      for (const { metadata, spec } of deployments) {
        const [sidecar] = spec.template.spec.initContainers ?? [];
        assert.equal(sidecar?.name, metadata.name === 'shop' ? 'sluice' : undefined);
        if (sidecar === undefined) continue;
        assert.notEqual(sidecar.image, 'sluice');
        assert.equal(sidecar.envFrom[0].configMapRef.name, settings.metadata.name);
      }
      assert.equal(deployments.length, 2);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('a mistake is found, in a core kind and in a custom one', () => {
    const manifests = built('keda');
    for (const [right, wrong] of [
      ['readOnlyRootFilesystem: true', 'readOnlyRootFileSystem: true'],
      ['maxReplicaCount: 12', 'maxReplicas: 12'],
    ] as const) {
      const { code, says } = validate(manifests.replace(right, wrong));
      assert.equal(code, 1);
      assert.ok(says.includes(wrong.slice(0, wrong.indexOf(':'))), says);
    }
  });
});
