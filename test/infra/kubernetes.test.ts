// The manifests, without a cluster: each kustomization is built by kustomize, and what it gives is validated by the schemas of
// Kubernetes and of KEDA. The tools come from the package registries, once, into node_modules/.cache.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { parseAllDocuments } from 'yaml';

const root = join(import.meta.dirname, '../..');
const cache = join(root, 'node_modules/.cache/sluice-infra');
const KUBERNETES = '1.34';
const KUSTOMIZE = 'sigs.k8s.io/kustomize/kustomize/v5@v5.7.1';
const VALIDATOR = 'kubernetes-validate==1.37.0';
const KEDA = 'github.com/kedacore/keda/v2@v2.18.1';

const missing = [
  ['go', 'version'],
  ['python3', '-m', 'pip', '--version'],
].find(([program = '', ...args]) => spawnSync(program, args).status !== 0);

/** Makes a folder of the cache, whole or not at all. */
function cached(name: string, make: (folder: string) => void): string {
  const folder = join(cache, name.replaceAll(/[^\w.-]/g, '-'));
  if (existsSync(folder)) return folder;
  const making = `${folder}.${process.pid}`;
  mkdirSync(making, { recursive: true });
  make(making);
  renameSync(making, folder);
  return folder;
}

function kustomize(): string {
  const folder = cached(KUSTOMIZE, (to) => {
    execFileSync('go', ['install', KUSTOMIZE], { env: { ...process.env, GOBIN: to }, stdio: 'pipe' });
  });
  return join(folder, 'kustomize');
}

function validator(): string {
  return cached(VALIDATOR, (to) => {
    execFileSync('python3', ['-m', 'pip', 'install', '--quiet', '--target', to, VALIDATOR], { stdio: 'pipe' });
  });
}

function definitionOfScaledObjects(): string {
  const { Dir } = JSON.parse(
    execFileSync('go', ['mod', 'download', '-json', KEDA], { cwd: tmpdir(), encoding: 'utf8', stdio: 'pipe' }),
  );
  return join(Dir, 'config/crd/bases/keda.sh_scaledobjects.yaml');
}

function validate(manifests: string): { code: number | null; says: string } {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-manifests-'));
  try {
    const file = join(folder, 'manifests.yaml');
    writeFileSync(file, manifests);
    const script = join(import.meta.dirname, 'validate.py');
    const { status, stdout, stderr } = spawnSync('python3', [script, KUBERNETES, file, definitionOfScaledObjects()], {
      env: { ...process.env, PYTHONPATH: validator() },
      encoding: 'utf8',
    });
    return { code: status, says: stdout + stderr };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const built = (name: string): string =>
  execFileSync(kustomize(), ['build', join(root, 'infra/k8s', name)], { encoding: 'utf8' });

suite('manifests', { skip: missing ? `SKIPPED: no ${missing.join(' ')}` : false }, () => {
  for (const name of ['central', 'edge', 'keda', 'demo']) {
    test(`${name}: valid, and every pod is held as tight as it can be`, () => {
      const manifests = built(name);
      const { code, says } = validate(manifests);
      assert.equal(code, 0, says);

      let pods = 0;
      for (const document of parseAllDocuments(manifests)) {
        const { kind, spec } = document.toJS();
        const pod = spec?.template?.spec;
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
  }

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
