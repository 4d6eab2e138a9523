// Checks this machine: whether the data folder can be written, and whether the addresses to listen on are free. Where a
// Sluice of the same configuration runs already, it has both; that is mentioned and is no failure.

import { existsSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { type Config, variableOf } from '#shared/config/settings.ts';
import { NO_READ_API } from '#shared/config/settings/read.ts';
import { reasonOf } from '#shared/errors.ts';
import {
  datagramOptions,
  type ListenAddress,
  listenFailure,
  listenOn,
  parseListenAddress,
  SYSTEMD_PREFIX,
} from '#shared/net/listen-address.ts';
import type { Finding } from './report.ts';

const LITTLE_BYTES = 1024 * 1024 * 1024;

export function probeDataFolder(config: Config): Finding {
  const folder = config['data.dir'];
  const thing = `Data folder ${folder}`;
  // What is not there yet is made at the start, where its nearest folder allows that. Nothing is left behind here.
  let place = folder;
  while (!existsSync(place) && dirname(place) !== place) place = dirname(place);
  try {
    const probe = mkdtempSync(join(place, '.sluice-check-'));
    try {
      writeFileSync(join(probe, 'file'), 'x', { mode: 0o600 });
    } finally {
      rmSync(probe, { recursive: true });
    }
    const { bavail, bsize } = statfsSync(place);
    const free = bavail * bsize;
    const text = `can be written${place === folder ? '' : ' (it is made at the start)'}, ${Math.floor(free / 1048576)} MiB free`;
    return free < LITTLE_BYTES
      ? { thing, outcome: 'weak', text: `${text}: that is little; give SLUICE_DATA_DIR more space` }
      : { thing, outcome: 'ok', text };
  } catch (error) {
    const text = `cannot be written: ${reasonOf(error)}; give its owner the right, or set SLUICE_DATA_DIR to another one`;
    return { thing, outcome: 'failed', text };
  }
}

const LISTENING = [
  { setting: 'forward.listen', udp: true },
  { setting: 'http.listen', udp: false },
  { setting: 'syslog.listen', udp: true },
  { setting: 'syslog.tls_listen', udp: false },
  { setting: 'gelf.listen', udp: true },
  { setting: 'admin.listen', udp: false },
  { setting: 'read.listen', udp: false },
] as const;

/** One after another, so that two settings with one address do not look like a program that has it. */
export async function probeAddresses(config: Config): Promise<Finding[]> {
  const findings: Finding[] = [];
  const named = new Map<string, string>();
  for (const { setting, udp } of LISTENING) {
    const text = config[setting];
    if (text === undefined || text === NO_READ_API || text.startsWith(SYSTEMD_PREFIX)) continue;
    const address = parseListenAddress(text);
    const variable = variableOf(setting);
    const thing = `Address ${text} (${variable})`;
    const twice = address.kind === 'tcp' && address.port === 0 ? undefined : named.get(text);
    named.set(text, variable);
    if (twice !== undefined)
      findings.push({ thing, outcome: 'failed', text: `${twice} has the same; choose another one` });
    else if (address.kind === 'tcp' && address.inherited)
      findings.push({ thing, outcome: 'ok', text: 'handed over by systemd' });
    else findings.push(await probeAddress(thing, address, udp));
  }
  return findings;
}

async function probeAddress(thing: string, address: ListenAddress, udp: boolean): Promise<Finding> {
  // A try would remove the unix socket of a process that listens there.
  if (address.kind === 'unix') {
    return existsSync(dirname(address.path))
      ? { thing, outcome: 'ok', text: 'its folder is there' }
      : { thing, outcome: 'failed', text: `there is no folder ${dirname(address.path)}; make it` };
  }
  try {
    const server = createServer();
    await listenOn(server, address);
    server.close();
    if (udp) await bindDatagrams(address);
    return { thing, outcome: 'ok', text: 'is free' };
  } catch (error) {
    const isTaken = errorCode(error) === 'EADDRINUSE';
    const reason = reasonOf(error).replace(/^Cannot listen on [^ ]+: /, '');
    // It may be the Sluice of this very configuration.
    return {
      thing,
      outcome: isTaken ? 'weak' : 'failed',
      text: isTaken ? `${reason} (if it is this Sluice, all is well)` : reason,
    };
  }
}

async function bindDatagrams(address: ListenAddress & { kind: 'tcp' }): Promise<void> {
  const socket = createSocket(address.host.includes(':') ? 'udp6' : 'udp4');
  try {
    const listening = once(socket, 'listening');
    socket.bind({ ...datagramOptions(address), ...(address.host === '' ? { address: '0.0.0.0' } : {}) });
    await listening;
  } catch (error) {
    throw listenFailure(address, error);
  } finally {
    socket.close();
  }
}

function errorCode(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error && 'code' in cause ? String(cause.code) : '';
}
