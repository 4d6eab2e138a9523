// What the commands that send lines to a running Sluice have in common: their options, and how they end.

import { hostname } from 'node:os';
import type { Clock } from '#shared/clock.ts';
import type { Config } from '#shared/config/settings.ts';
import { SluiceError } from '#shared/errors.ts';
import { parseListenAddress } from '#shared/net/listen-address.ts';
import { messageLine } from '../output/message-line.ts';
import type { Output } from '../output/output.ts';
import { ForwardSender } from './forward-sender.ts';

export const sendOptions = {
  tag: { type: 'string' },
  to: { type: 'string' },
  timeout: { type: 'string' },
} as const;

export const sendHelp = `  --tag TAG          Of all lines; \`sluice logs TAG\` shows them
  --to ADDRESS       The forwarder, host:port or unix:/path (default: SLUICE_FORWARD_LISTEN, as Sluice itself has it);
                     SLUICE_SHARED_KEY and SLUICE_TLS_CERT are those that it has
  --timeout SECONDS  How long to wait at the end for lines to be acknowledged (default: 60)
`;

const TAG_BYTES_MAX = 1024;
const TIMEOUT_SECONDS = 60;

interface Given {
  readonly tag?: string | undefined;
  readonly to?: string | undefined;
  readonly timeout?: string | undefined;
}

export interface SendPlan {
  readonly sender: ForwardSender;
  readonly timeoutMs: number;
}

/** Throws usage_wrong, in words of `verb`. */
export function planSend(
  { tag, to, timeout }: Given,
  { config, clock, verb, tell }: { config: Config; clock: Clock; verb: string; tell: (text: string) => void },
): SendPlan {
  const wrong = (why: string): SluiceError => new SluiceError('usage_wrong', `Cannot ${verb}: ${why}; see --help`);
  if (tag === undefined) throw wrong('give --tag');
  if (tag === '' || Buffer.byteLength(tag) > TAG_BYTES_MAX || !tag.isWellFormed()) {
    throw wrong(`a tag has 1 to ${TAG_BYTES_MAX} bytes of UTF-8`);
  }
  const seconds = timeout === undefined ? TIMEOUT_SECONDS : Number(timeout);
  if (!(seconds >= 0) || timeout === '') throw wrong(`--timeout is "${timeout}"; it is a number from 0 on`);
  const address = parseListenAddress(to ?? config['forward.listen']);
  const target = {
    address,
    certificate: address.kind === 'unix' ? undefined : config['tls.cert'],
    sharedKey: config['shared_key'],
    asksForUsers: config['users'] !== undefined,
    hostname: hostname(),
  };
  const sender = new ForwardSender({ tag, target, clock, tell });
  return { sender, timeoutMs: seconds * 1000 };
}

/** Waits for what is not acknowledged, for so long. Returns whether all is; says on standard error what is not. */
export async function finishSend(
  { sender, timeoutMs }: SendPlan,
  { clock, output, stop }: { clock: Clock; output: Output; stop: AbortSignal },
): Promise<boolean> {
  const limit = new AbortController();
  using _timer = clock.timer(timeoutMs, () => limit.abort());
  await sender.finish(AbortSignal.any([limit.signal, stop]));
  const { unacked, trouble } = sender;
  if (unacked === 0) return true;
  const why = trouble ?? 'it did not answer in time';
  const lines = unacked === 1 ? '1 line is' : `${unacked} lines are`;
  await output.write(
    messageLine(`Cannot say that all lines are held: ${lines} not acknowledged (${why})`),
    output.stderr,
  );
  return false;
}
