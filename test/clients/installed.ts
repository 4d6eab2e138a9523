// Installs the clients of the folders beside this file, each by the package manager of its language, into
// node_modules/.cache, once for each content of its folder. A client whose toolchain is missing is told as such: its
// tests skip, loudly.

import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const cache = join(import.meta.dirname, '../../node_modules/.cache/sluice-clients');

interface Toolchain {
  /** What must answer for the toolchain to be there. */
  readonly probe: readonly string[];
  /** Commands that install the client, run in a copy of its folder. */
  readonly install: readonly (readonly string[])[];
  /** The command to send, given the installed folder; the client's arguments follow. */
  readonly send: (folder: string) => string[];
  readonly environment?: (folder: string) => Record<string, string>;
  /** For libraries that take no authority from their program: how else they come to trust a certificate. */
  readonly trust?: (ca: string) => Record<string, string>;
}

/** How a client shows who it is, where it can. Clients find it in their environment. */
export interface Security {
  /** File of the certificate that the server is trusted by; then the client speaks TLS. */
  readonly ca?: string;
  readonly sharedKey?: string;
  readonly user?: string;
  readonly password?: string;
}

const npmInstall = ['npm', 'install', '--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts'];
const nodeClient: Toolchain = {
  probe: ['npm', '--version'],
  install: [npmInstall],
  send: (folder) => [process.execPath, join(folder, 'send.js')],
};

const toolchains = {
  python: {
    probe: ['python3', '-m', 'pip', '--version'],
    install: [
      ['python3', '-m', 'pip', 'install', '--quiet', '--target', 'packages', '--requirement', 'requirements.txt'],
    ],
    send: (folder) => ['python3', join(folder, 'send.py')],
    environment: (folder) => ({ PYTHONPATH: join(folder, 'packages') }),
  },
  'npm-fluent-logger': nodeClient,
  'npm-fluent-org': nodeClient,
  'npm-opentelemetry': nodeClient,
  'npm-loki': nodeClient,
  java: {
    probe: ['mvn', '--version'],
    install: [['mvn', '-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=lib']],
    send: (folder) => ['java', '-cp', join(folder, 'lib/*'), join(folder, 'Send.java')],
    trust: javaTrust,
  },
  go: {
    probe: ['go', 'version'],
    install: [['go', 'build', '-o', 'send', '.']],
    send: (folder) => [join(folder, 'send')],
    trust: (ca) => ({ SSL_CERT_FILE: ca }),
  },
  'go-collector': {
    probe: ['go', 'version'],
    install: [['go', 'build', '-o', 'collector', '.']],
    send: (folder) => [join(folder, 'collector')],
  },
} satisfies Record<string, Toolchain>;

export type ClientName = keyof typeof toolchains;

export interface Arguments {
  readonly port: number;
  readonly tag: string;
  readonly count: number;
  readonly ack: boolean;
  /** Ends the client before it is done. */
  readonly signal?: AbortSignal;
  readonly security?: Security;
}

/** Whether the toolchain of a client is on this machine. */
export async function isInstallable(name: ClientName): Promise<boolean> {
  const [command = '', ...args] = toolchains[name].probe;
  return run(command, args).then(
    () => true,
    () => false,
  );
}

/** Installs a client if need be, and lets it send numbered events. Rejects with what it said if it fails. */
export async function sendBy(name: ClientName, given: Arguments): Promise<void> {
  const { port, tag, count, ack, signal, security = {} } = given;
  const environment = environmentOf(security, toolchains[name]);
  await runClient(name, [String(port), tag, String(count), ack ? 'ack' : 'no-ack'], { signal, environment });
}

/** As `sendBy`, with arguments that only this client knows. */
export async function runClient(
  name: ClientName,
  given: readonly string[],
  { signal, environment }: { signal?: AbortSignal | undefined; environment?: Record<string, string> } = {},
): Promise<void> {
  const toolchain: Toolchain = toolchains[name];
  const folder = await installed(name, toolchain);
  const [command = '', ...args] = toolchain.send(folder);
  await run(command, [...args, ...given], {
    env: { ...process.env, ...toolchain.environment?.(folder), ...environment },
    ...(signal !== undefined && { signal, killSignal: 'SIGKILL' }),
  });
}

/** The file of a program that is no sender; installed if need be. Rejects with what the installation said. */
export async function programOf(name: 'go-collector'): Promise<string> {
  const toolchain: Toolchain = toolchains[name];
  const [program = ''] = toolchain.send(await installed(name, toolchain));
  return program;
}

function environmentOf({ ca, sharedKey, user, password }: Security, { trust }: Toolchain): Record<string, string> {
  return {
    ...(ca !== undefined && { SENDER_CA: ca, ...trust?.(ca) }),
    ...(sharedKey !== undefined && { SENDER_SHARED_KEY: sharedKey }),
    ...(user !== undefined && { SENDER_USER: user, SENDER_PASSWORD: password ?? '' }),
  };
}

/** Java reads certificates from a store of its own kind. */
function javaTrust(ca: string): Record<string, string> {
  const store = `${ca}.store`;
  const password = 'changeit';
  if (!existsSync(store)) {
    const importing = ['-importcert', '-noprompt', '-alias', 'ca', '-file', ca];
    execFileSync('keytool', [...importing, '-keystore', store, '-storepass', password], { stdio: 'pipe' });
  }
  return {
    JAVA_TOOL_OPTIONS: `-Djavax.net.ssl.trustStore=${store} -Djavax.net.ssl.trustStorePassword=${password}`,
  };
}

async function installed(name: ClientName, toolchain: Toolchain): Promise<string> {
  const source = join(import.meta.dirname, name);
  const hash = createHash('sha256');
  for (const file of readdirSync(source).sort()) hash.update(readFileSync(join(source, file)));
  const folder = join(cache, `${name}-${hash.digest('hex').slice(0, 12)}`);
  if (existsSync(folder)) return folder;
  const fresh = `${folder}.${process.pid}`;
  cpSync(source, fresh, { recursive: true });
  try {
    for (const [command = '', ...args] of toolchain.install) await run(command, args, { cwd: fresh });
    renameSync(fresh, folder);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return folder;
}
