// Where a backend of the tests comes from: an address in the environment; else a container; else jars as a child
// process; else nowhere, and the suite that asked must say that it was skipped.
//
//   SLUICE_TEST_KAFKA, SLUICE_TEST_ELASTICSEARCH   the address, or `none`
//   SLUICE_TEST_BACKENDS                           `containers` or `jars`: only these are tried
//
// test/run.ts starts each backend once and hands the addresses down by the first two; a test file that is run alone
// starts its own.

export interface Running extends AsyncDisposable {
  /** "host:port" or a URL. */
  readonly address: string;
  readonly how: string;
}

interface Source {
  readonly variable: string;
  readonly container: () => Promise<Running>;
  readonly jars: () => Promise<Running>;
}

const running: Running[] = [];
const reasons = new Map<string, string>();

/** Starts a backend, or finds the one that runs. Null: not to be had; `whyNot` tells the reason. */
export async function obtain(source: Source): Promise<{ address: string; how: string } | null> {
  const given = process.env[source.variable];
  if (given === 'none') return null;
  if (given) return { address: given, how: process.env[`${source.variable}_HOW`] ?? `from ${source.variable}` };
  const only = process.env['SLUICE_TEST_BACKENDS'];
  const failures: string[] = [];
  for (const start of [only === 'jars' ? null : source.container, only === 'containers' ? null : source.jars]) {
    if (start === null) continue;
    try {
      const started = await start();
      if (running.push(started) === 1) process.once('beforeExit', () => void endAll());
      return started;
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  reasons.set(source.variable, failures.join('; '));
  return null;
}

/** Why `obtain` gave null, in a line; empty if it was told to. */
export function whyNot(variable: string): string {
  return (reasons.get(variable) ?? '').replaceAll('\n', ' ');
}

/** Ends what `obtain` started. */
export async function endAll(): Promise<void> {
  await Promise.allSettled(running.splice(0).map((one) => one[Symbol.asyncDispose]()));
}
