// Where data lies, and the inputs: their addresses, and what they take. See settings.ts.

import { DockerRules, KubernetesRules } from './container-rules.ts';
import { FileRules } from './file-rules.ts';
import { JournalRules } from './journal-rules.ts';
import { bytes, count, flag, GIB, KIB, list, MIB, oneOf, text, tree, type Setting } from './setting-kinds.ts';

export const inputs = {
  'data.dir': text('Folder of the embedded queue, the embedded store, and the spool.', { default: './data' }),
  'log.level': oneOf(['debug', 'info', 'warn', 'error'], 'Least severe level that Sluice writes to its own log.', {
    default: 'info',
  }),
  workers: count(
    { minimum: 1, maximum: 64 },
    'Processes of `sluice forwarder` and `sluice indexer` (`--workers`); `auto`: as many as processors.',
    { default: 1 },
  ),
  'forward.listen': text('Address of the Forward input: TCP, and the UDP heartbeat on the same port.', {
    default: '127.0.0.1:24224',
  }),
  'http.listen': text('Address of all HTTP inputs.', { default: '127.0.0.1:9880' }),
  'http.tokens': text('File of the tokens that senders to the HTTP inputs must have one of, YAML.', {}),
  'http.cors_origins': list(
    'Origins whose pages in a browser may send to the HTTP inputs, such as https://app.example.com, separated by ' +
      'commas.',
    {},
  ),
  'syslog.listen': text('Address of the syslog input: TCP and UDP; `unix:/path` for a stream. Unset: none.', {}),
  'syslog.tls_listen': text('Address of the syslog input over TLS; needs a certificate. Unset: none.', {}),
  'syslog.tag': text('Tag of what comes by syslog.', { default: 'syslog' }),
  'syslog.time_zone': text('Zone of senders that write times without one, such as Europe/Berlin.', {
    defaultText: "the machine's",
  }),
  'syslog.message_max_bytes': bytes(
    { minimum: 2 * KIB, maximum: 8 * MIB },
    'Longest part of a syslog message; a longer one is sent on in parts, which the indexer joins.',
    { default: 64 * KIB },
  ),
  'gelf.listen': text('Address of the GELF input, TCP and UDP. Unset: none.', {}),
  'gelf.tag': text('Tag of what comes by GELF.', { default: 'gelf' }),
  'gelf.message_max_bytes': bytes(
    { minimum: 16 * KIB, maximum: 64 * MIB },
    'Largest GELF message, after decompression; a larger one goes to the dead letters.',
    { default: 2 * MIB },
  ),
  'collect.files': tree(
    FileRules,
    'Files of this machine that are read: see [senders/files.md](senders/files.md).',
    {},
  ),
  'collect.docker': tree(
    DockerRules,
    "Logs of Docker's containers that are read; `{}`: all. See [senders/containers.md](senders/containers.md).",
    {},
  ),
  'collect.kubernetes': tree(
    KubernetesRules,
    "Logs of this node's pods that are read; `{}`: all. See [senders/containers.md](senders/containers.md).",
    {},
  ),
  'collect.journal': tree(
    JournalRules,
    "Entries of systemd's journal that are read; `{}`: all. See [senders/journal.md](senders/journal.md).",
    {},
  ),
  'collect.host': text('Name of this machine in collected events and in their names; where it changes, so do they.', {
    defaultText: "the machine's hostname",
  }),
  'collect.watch': flag(
    'Whether the system is to tell which files are written; else each is asked for once a second.',
    {
      default: true,
    },
  ),
  'udp.receive_buffer_bytes': bytes(
    { minimum: 64 * KIB, maximum: GIB },
    "Kernel's buffer of each UDP input; it gives no more than its own limit (net.core.rmem_max).",
    { default: 4 * MIB },
  ),
} as const satisfies Record<string, Setting>;
