// The units of the forwarder, by systemd's own verifier, and that the names of their sockets are those that the service
// asks for.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const units = join(import.meta.dirname, '../../infra/systemd');
const read = (unit: string): string => readFileSync(join(units, unit), 'utf8');
const found = spawnSync('systemd-analyze', ['--version']).status === 0;

test('systemd-analyze verify', { skip: found ? false : 'SKIPPED: no systemd-analyze (Debian: systemd)' }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-units-'));
  try {
    // It looks whether the program is there; Node is wherever this machine has it.
    const copies = readdirSync(units).map((unit) => {
      writeFileSync(join(folder, unit), read(unit).replace('/usr/bin/node', process.execPath));
      return join(folder, unit);
    });
    assert.equal(execFileSync('systemd-analyze', ['verify', ...copies], { encoding: 'utf8', stdio: 'pipe' }), '');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('the service asks for the sockets by the names that their units give', () => {
  const service = read('sluice-forwarder.service');
  const asked = [...service.matchAll(/LISTEN=systemd:(\S+)/g)].map(([, name]) => name);
  const sockets = /^Sockets=(.*)$/m.exec(service)?.[1]?.split(' ') ?? [];
  const given = sockets.map((unit) => /^FileDescriptorName=(.*)$/m.exec(read(unit))?.[1]);
  assert.deepEqual(asked, given);
  assert.deepEqual(
    sockets.toSorted(),
    readdirSync(units)
      .filter((unit) => unit.endsWith('.socket'))
      .toSorted(),
  );
});
