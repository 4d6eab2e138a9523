// Which dead letters are to be erased.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ReadDeadLetter } from '#shared/queue/dead-letter.ts';
import type { EraseQuery } from '#shared/store/erase.ts';
import { World } from '#test/indexer/world.ts';
import { matchDeadLetter } from '../../services/sluice/erase/dead-letter-match.ts';

const world = new World();

function letterOf(tenants: readonly (string | null)[], index: number | null): ReadDeadLetter {
  return {
    kind: 'dead-letter',
    partition: 0,
    offset: 0,
    timeMs: Date.UTC(2026, 2, 2),
    batches: tenants.map((tenant) => ({ ...world.batch(1), tenant, receivedMs: Date.UTC(2026, 2, 1) })),
    index,
    reason: 'document_refused',
    error: '',
    from: 'l/0/0',
    value: Buffer.alloc(0),
    cut: false,
    missingBytes: 0,
    encoding: '',
    recordVersion: '',
  };
}

test('a container by any name that the indexer knows it by', () => {
  const id = 'c0ffee'.padEnd(64, '0');
  const check = (record: unknown, container: string, expected: string, tag = 'app'): void => {
    const letter = letterOf(['a'], 0);
    const batches = letter.batches.map((one) => ({ ...one, tag }));
    assert.equal(
      matchDeadLetter({ ...letter, batches }, { container }, () => record),
      expected,
      JSON.stringify(record),
    );
  };
  check({ container: { name: 'web', id } }, 'web', 'yes');
  check({ container: { name: 'web', id } }, id, 'yes');
  check({ CONTAINER_ID_FULL: id }, 'c0ffee000000', 'yes');
  check({ kubernetes: { docker_id: id } }, id, 'yes');
  check({ kubernetes: { container: { name: 'web' } } }, 'web', 'yes');
  check({ 'k8s.container.name': 'web' }, 'web', 'yes');
  check({ attrs: { 'io.kubernetes.container.name': 'web' } }, 'web', 'yes');
  check({ docker_container: 'web' }, 'web', 'yes');
  check({ container: 'web', other: { name: 'web' } }, 'web', 'no');
  const tag = `kubernetes.var.log.containers.web-1_shop_web-${id}.log`;
  check({ log: 'x' }, 'web', 'yes', tag);
  check({ log: 'x' }, id, 'yes', tag);
  check({ log: 'x' }, 'web-1', 'no', tag);
  check({ log: 'x' }, '*', 'no');
  check(null, 'web', 'unknown');
});

test('a dead letter of one event', () => {
  const record = {
    container_name: '/web-1',
    container_id: 'c0ffee0011223344',
    log: 'Login of Ann-Marie from 10.0.0.1',
    user: { roles: ['admin', 7] },
  };
  const check = (query: EraseQuery, expected: string): void =>
    assert.equal(
      matchDeadLetter(letterOf(['a'], 0), query, () => record),
      expected,
      JSON.stringify(query),
    );
  check({}, 'yes');
  check({ tenant: 'a' }, 'yes');
  check({ tenant: 'b' }, 'no');
  check({ container: 'web-1' }, 'yes');
  check({ container: 'web-*' }, 'yes');
  check({ container: 'web' }, 'no');
  check({ container: 'c0ffee001122' }, 'yes');
  check({ container: 'c0ffee00112' }, 'no');
  check({ container: 'c0ff' }, 'no');
  check({ container: 'c0ff*' }, 'no');
  check({ text: 'login ann' }, 'yes');
  check({ text: '"ann marie"' }, 'yes');
  check({ text: '"marie ann"' }, 'no');
  check({ text: '10.0.0.*' }, 'yes');
  check({ text: '10.0.0.1' }, 'yes');
  check({ text: 'log*' }, 'yes');
  check({ text: 'logi' }, 'no');
  check({ text: 'admin 7' }, 'yes');
  check({ text: 'login', container: 'db' }, 'no');
  check({ text: 'login', container: 'web-1', tenant: 'a' }, 'yes');
  check({ since: '2026-03-01T00:00:00Z', until: '2026-03-02T00:00:00Z' }, 'yes');
  check({ since: '2026-03-01T12:00:00Z' }, 'no');
  check({ until: '2026-03-01T00:00:00Z' }, 'no');
});

test('a dead letter of a whole record, or of nothing that can be read', () => {
  const check = (tenants: readonly (string | null)[], query: EraseQuery, expected: string): void =>
    assert.equal(
      matchDeadLetter(letterOf(tenants, null), query, () => null),
      expected,
    );
  check(['a', 'a'], { tenant: 'a' }, 'yes');
  check(['a', 'b'], { tenant: 'a' }, 'unknown');
  check(['b', null], { tenant: 'a' }, 'no');
  check([], { tenant: 'a' }, 'unknown');
  check(['a'], { container: 'web' }, 'unknown');
  check(['b'], { tenant: 'a', container: 'web' }, 'no');
  check([], {}, 'yes');
});

test('a dead letter of a whole record whose batches came at several times', () => {
  const [early, late] = [Date.UTC(2026, 2, 1), Date.UTC(2026, 2, 3)];
  const letter = letterOf(['a', 'a'], null);
  const batches = letter.batches.map((batch, i) => ({ ...batch, receivedMs: i === 0 ? early : late }));
  const check = (query: EraseQuery, expected: string): void =>
    assert.equal(
      matchDeadLetter({ ...letter, batches }, query, () => null),
      expected,
      JSON.stringify(query),
    );
  check({}, 'yes');
  check({ until: '2026-03-02T00:00:00Z' }, 'unknown');
  check({ since: '2026-03-02T00:00:00Z' }, 'unknown');
  check({ tenant: 'a', until: '2026-03-02T00:00:00Z' }, 'unknown');
  check({ tenant: 'b', until: '2026-03-02T00:00:00Z' }, 'no');
  check({ until: '2026-03-01T00:00:00Z' }, 'no');
});
