// `npm run dev -- [--rate N]`: Sluice from its sources, all in one process, with a sender that makes lines.
//
// Node restarts it whenever a file below services/ or shared/ changes (package.json has the options); SIGTERM, which
// Node sends then, is an orderly stop. Everything runs in this one process, so whatever ends it ends all of it. The
// environment wins over what is set here.

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { loadConfig } from '#shared/config/load.ts';
import { parseListenAddress } from '#shared/net/listen-address.ts';
import { runCommandLine } from '../../services/sluice/command-line.ts';
import { sendLines } from './sender.ts';

/** Below `data/`, which git ignores; beside what `npm start` keeps there. */
const DATA_DIR = 'data/dev';
const RATE_MAX = 1000;

const { values } = parseArgs({ options: { rate: { type: 'string', default: '4' } } });
const linesPerSecond = Number(values.rate);
if (!(linesPerSecond >= 0 && linesPerSecond <= RATE_MAX)) {
  console.error(`Cannot send ${values.rate} lines a second: give a number from 0 to ${RATE_MAX}`);
  process.exit(2);
}

const dataDir = (process.env['SLUICE_DATA_DIR'] ??= DATA_DIR);
const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());

const target = linesPerSecond === 0 ? 'none, as --rate 0 says' : senderTarget();
console.log(`Development: Sluice from its sources, started again whenever they change; Ctrl-C ends it.
  Data      ${dataDir} (delete the folder to begin anew)
  Sender    ${typeof target === 'string' ? target : `${linesPerSecond} lines a second to port ${target.port}; --rate N changes that`}
  Watch     SLUICE_DATA_DIR=${dataDir} npm run -s sluice -- logs -f
`);
if (typeof target === 'object') void sendLines({ ...target, linesPerSecond, signal: stopping.signal });
process.exit(await runCommandLine(['run']));

/** Where to send; in words, why nowhere. */
function senderTarget(): { readonly port: number } | string {
  try {
    const config = loadConfig({ env: process.env, file: undefined, readFile: (path) => readFileSync(path, 'utf8') });
    if (config['shared_key'] ?? config['users'] ?? config['tls.cert']) return 'none: it knows neither keys nor TLS';
    const address = parseListenAddress(config['forward.listen']);
    return address.kind === 'tcp' ? { port: address.port } : 'none: it connects to a TCP port of 127.0.0.1 only';
  } catch {
    return 'none: the configuration is not valid';
  }
}
