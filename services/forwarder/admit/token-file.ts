// The tokens file while the forwarder runs. It is read again when it changes, so that tokens can be added or removed
// without a restart. If the new file is broken, the old tokens stay in force, and the error is logged.

import { readFileSync } from 'node:fs';
import type { Clock } from '#shared/clock.ts';
import type { Tenant } from '#shared/config/tenants.ts';
import { watchFiles } from '#shared/config/watched-files.ts';
import type { ReadFile } from '#shared/config/yaml-file.ts';
import type { Grant } from '../intake/principal.ts';
import { loadTokens, type Tokens } from './tokens.ts';

const LOOK_INTERVAL_MS = 2000;

export interface TokenFileOptions {
  readonly tenants: readonly Tenant[];
  /** Of another form than that of senders; throws config_invalid. */
  readonly load?: (path: string, readFile: ReadFile) => Tokens;
  readonly clock: Clock;
  readonly telemetry: {
    tokensReloaded(count: number): void;
    tokensReloadFailed(error: unknown): void;
  };
  readonly intervalMs?: number;
}

export interface TokenFile extends Disposable {
  /** What an Authorization header grants; null: nothing. */
  grantOf(authorization: string): Grant | null;
  /** The name of the token that it shows; null where none is known. */
  holderOf(authorization: string): string | null;
}

/** Throws config_invalid. */
export function openTokenFile(path: string, options: TokenFileOptions): TokenFile {
  const { tenants, clock, telemetry, intervalMs } = options;
  const loadAs = options.load ?? ((file, readFile) => loadTokens(file, tenants, readFile));
  const load = () => loadAs(path, (file) => readFileSync(file, 'utf8'));
  let tokens = load();
  const watch = watchFiles({
    paths: [path],
    clock,
    intervalMs: intervalMs ?? LOOK_INTERVAL_MS,
    changed() {
      try {
        tokens = load();
        telemetry.tokensReloaded(tokens.count);
      } catch (error) {
        telemetry.tokensReloadFailed(error);
      }
    },
  });
  return {
    grantOf: (authorization) => tokens.grantOf(authorization),
    holderOf: (authorization) => tokens.holderOf(authorization),
    [Symbol.dispose]: () => watch[Symbol.dispose](),
  };
}
