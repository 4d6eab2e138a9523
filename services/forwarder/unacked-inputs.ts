// Starts the inputs whose senders get no answer, as far as they are configured: syslog and GELF. They end before
// intake, so that it still accepts what their senders have already sent.

import type { Config } from '#shared/config/settings.ts';
import { startGelfInput } from './accept/gelf/gelf-input.ts';
import type { Door } from './admit/door.ts';
import type { TlsContext } from './admit/tls.ts';
import { startSyslogInput } from './accept/syslog/syslog-input.ts';
import type { UnackedInput, UnackedInputOptions } from './accept/unacked/unacked-input.ts';

type Shared = Omit<UnackedInputOptions, 'tag' | 'messageBytesMax' | 'receiveBufferBytes' | 'door'>;

export interface UnackedInputsOptions extends Shared {
  readonly config: Config;
  readonly doors: { readonly syslog: Door; readonly gelf: Door };
  readonly tls: TlsContext | null;
}

export interface UnackedInputs {
  /** As bound; none where the input is not configured. */
  readonly addresses: { readonly syslog: readonly string[]; readonly gelf: readonly string[] };
  /** Whoever calls it again waits for the same end. */
  close(): Promise<void>;
}

/** Rejects with config_invalid or listen_failed. */
export async function startUnackedInputs({ config, doors, ...edge }: UnackedInputsOptions): Promise<UnackedInputs> {
  const { 'syslog.listen': listen, 'syslog.tls_listen': tlsListen, 'gelf.listen': gelfListen } = config;
  const receiveBufferBytes = config['udp.receive_buffer_bytes'];
  await using starting = new AsyncDisposableStack();
  const syslog: string[] = [];
  const gelf: string[] = [];
  // At once: each takes the time that it has.
  const inputs: UnackedInput[] = [];
  starting.defer(async () => void (await Promise.all(inputs.map((input) => input.close()))));
  if (listen !== undefined || tlsListen !== undefined) {
    const input = await startSyslogInput({
      ...edge,
      door: doors.syslog,
      listen,
      tlsListen,
      tag: config['syslog.tag'],
      timeZone: config['syslog.time_zone'] ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
      messageBytesMax: config['syslog.message_max_bytes'],
      receiveBufferBytes,
    });
    inputs.push(input);
    syslog.push(...input.addresses);
  }
  if (gelfListen !== undefined) {
    const input = await startGelfInput({
      ...edge,
      door: doors.gelf,
      listen: gelfListen,
      tag: config['gelf.tag'],
      messageBytesMax: config['gelf.message_max_bytes'],
      receiveBufferBytes,
    });
    inputs.push(input);
    gelf.push(...input.addresses);
  }
  const started = starting.move();
  for (const address of syslog) edge.telemetry.listening('syslog', address);
  for (const address of gelf) edge.telemetry.listening('gelf', address);
  let ended: Promise<void> | null = null;
  return { addresses: { syslog, gelf }, close: () => (ended ??= started.disposeAsync()) };
}
