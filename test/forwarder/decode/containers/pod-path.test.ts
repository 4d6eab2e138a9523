// What paths of pods' logs say, and that no path says what it does not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { podPathOf, tagOfPod } from '#forwarder/decode/containers/pod-path.ts';

const UID = '0c6a3a5e-7e4b-4f3a-9c57-3d8f1a2b4c5d';
const STATIC = '9b2c0f5a7d3e4f10b8a6c5d4e3f2a1b0';

test('paths of pods', () => {
  const check = (path: string, expected: string | null): void => {
    const of = podPathOf(path);
    assert.equal(of && [of.namespace, of.pod, of.uid, of.container, of.restarts].join(' '), expected, path);
  };
  check(`/var/log/pods/shop_web-1_${UID}/app/0.log`, `shop web-1 ${UID} app 0`);
  check(`/elsewhere/shop_web.v1_${UID}/init-db/12.log`, `shop web.v1 ${UID} init-db 12`);
  check(`/var/log/pods/kube-system_etcd-node-1_${STATIC}/etcd/3.log`, `kube-system etcd-node-1 ${STATIC} etcd 3`);
  check(`/var/log/pods/shop_web_${UID}/app/0.log.20261120-101010`, `shop web ${UID} app 0`);
  check(`/var/log/pods/shop_web_${UID}/app/0.log.20261120-101010.gz`, `shop web ${UID} app 0`);
  check(`/var/log/pods/shop_web_${UID}/app/0.log.20261120-101010.tmp`, null);
  check(`/var/log/pods/shop_web_${UID}/app/log`, null);
  check(`/var/log/pods/shop_web_${UID}/app/x.log`, null);
  check(`/var/log/pods/shop_web_${UID}/App_1/0.log`, null);
  check(`/var/log/pods/shop_web/app/0.log`, null);
  check(`/var/log/pods/a_b_c_d/app/0.log`, null);
  check(`/var/log/pods/${'n'.repeat(64)}_web_${UID}/app/0.log`, null);
  check(`/var/log/pods/sh\nop_web_${UID}/app/0.log`, null);
  check('/0.log', null);
  check('', null);
});

test('tags', () => {
  assert.equal(tagOfPod(`/var/log/pods/shop_web_${UID}/app/0.log`), 'kubernetes.shop.web.app');
  assert.equal(tagOfPod('/var/log/pods/odd/app/0.log'), 'file.var.log.pods.odd.app.0.log');
  const longest = tagOfPod(`/p/${'n'.repeat(63)}_${'p'.repeat(253)}_${UID}/${'c'.repeat(63)}/0.log`);
  assert.ok(longest.startsWith('kubernetes.') && Buffer.byteLength(longest) <= 1024);
});
