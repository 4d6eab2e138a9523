// What the tests of the dead letters of the embedded queue share.

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

export const MIB = 1024 * 1024;
export const DAY_MS = 86_400_000;
/** Not to be compressed. */
export const NOISE = randomBytes(15_000);

export async function folder(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-letters-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}
