// What `collect.kubernetes` and `collect.docker` may say.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '#shared/config/load.ts';

function check(yaml: string, expected: RegExp | null): void {
  const load = () => loadConfig({ env: {}, file: 'f.yaml', readFile: () => `collect:\n  ${yaml}\n` });
  if (expected === null) assert.equal(typeof load(), 'object');
  else assert.throws(load, expected);
}

test('rules of containers', () => {
  check('kubernetes: {}', null);
  check('docker: {}', null);
  check('kubernetes: {include: [shop, "web/api-*", "*/*/app"], from: end, max_bytes_per_second: 5000}', null);
  check('docker: {include: ["web-*", "label:a=b"], labels: ["com.*"], path: /data/docker/containers}', null);
  check('kubernetes: {include: []}', /collect\.kubernetes/);
  check('kubernetes: {include: [a/b/c/d]}', /collect\.kubernetes: "a\/b\/c\/d" is none of namespace/);
  check('kubernetes: {exclude: [../x]}', /"\.\.\/x" is none/);
  check('kubernetes: {exclude: [a//b]}', /"a\/\/b" is none/);
  check('kubernetes: {exclude: [a_b]}', /"a_b" is none/);
  check('kubernetes: {path: logs}', /collect\.kubernetes: path "logs" is no absolute path/);
  check('docker: {path: /a/}', /collect\.docker: path "\/a\/" is no absolute path/);
  check('docker: {label: a}', /collect\.docker/);
  check('kubernetes: {metadata: api, labels: ["app.*"], annotations: [team]}', null);
  check('kubernetes: {metadata: kubelet}', /collect\.kubernetes/);
  check('docker: {annotations: [a]}', /collect\.docker/);
  check('docker: {include: ["label:a=[z-a]"]}', /collect\.docker: "label:a=\[z-a\]" has a class/);
  check('docker: {labels: ["[z-a]"]}', /collect\.docker: "\[z-a\]" has a class/);
  check('kubernetes: {exclude: ["shop/[z-a]"]}', /collect\.kubernetes: "shop\/\[z-a\]" has a class/);
  check('kubernetes: {annotations: ["[z-a]"]}', /collect\.kubernetes: "\[z-a\]" has a class/);
});
