// Logs in folders of a test's own, and what is written to them.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type LogOptions, SqliteLog, type Write } from '#shared/queue/embedded/sqlite-log.ts';

export const MIB = 1024 * 1024;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;
export const NOW = Date.UTC(2026, 5, 1);

export function open(file: string, options: Partial<LogOptions> = {}): SqliteLog {
  const tell = (): void => undefined;
  const sizes = { bytesMax: 64 * MIB, deadLettersBytesMax: 16 * MIB };
  return new SqliteLog({ file, readOnly: false, ...sizes, retentionMs: HOUR_MS, tell, ...options });
}

interface Wanted {
  readonly nowMs?: number;
  readonly monotonicMs?: number;
  readonly logs?: number;
  readonly deadLetters?: number;
  readonly bytes?: number;
  readonly commits?: Write['commits'];
}

export function write({
  nowMs = NOW,
  monotonicMs,
  logs = 0,
  deadLetters = 0,
  bytes = 10,
  commits = [],
}: Wanted): Write {
  const stored = { offset: 0, timeMs: 0, headers: Buffer.alloc(0), value: Buffer.alloc(bytes, 1) };
  const times = (count: number) => Array.from({ length: count }, () => stored);
  const deadLetterCharges = deadLetters === 0 ? [] : [{ owners: Array(deadLetters).fill(0), wholeBytes: 0 }];
  return {
    now: { epochMs: nowMs, monotonicMs: monotonicMs ?? nowMs },
    logs: times(logs),
    deadLetters: times(deadLetters),
    deadLetterCharges,
    commits,
  };
}

export function counts(log: SqliteLog): [logs: number, deadLetters: number] {
  return [log.end('logs') - log.first('logs'), log.end('dead-letters') - log.first('dead-letters')];
}

export async function folder(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-log-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}
