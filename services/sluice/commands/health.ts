// `sluice health`: asks a Sluice on this machine how it is, so that a container needs no curl for it.

import { request } from 'node:http';
import { parseArgs } from 'node:util';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import { askOptions, parseListenAddress } from '#shared/listen-address.ts';
import type { CommandContext } from '../command.ts';

export const help = `Usage: sluice health [--ready] [--config FILE]

Asks the process that listens on SLUICE_ADMIN_LISTEN. Exit code 0 if it is well, 1 if not or if nobody answers.

  --ready   Whether it can take and pass on events, too; without it: whether it runs
`;

const ANSWER_MS = 2500;

export async function run(args: string[], { config, stdout }: CommandContext): Promise<number> {
  const { values } = parseArgs({ args, options: { ready: { type: 'boolean' } } });
  const { status, body } = await ask(config['admin.listen'], values.ready ? '/readyz' : '/livez');
  stdout.write(body);
  return status === 200 ? 0 : 1;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

function ask(listen: string, path: string): Promise<Answer> {
  const to = askOptions(parseListenAddress(listen));
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const failed = (error: unknown): void =>
    reject(new SluiceError('health_unknown', `Cannot ask Sluice on ${listen}: ${reasonOf(error)}`));
  const asking = request({ ...to, path, timeout: ANSWER_MS }, (response) => {
    let body = '';
    response.setEncoding('utf8');
    response.on('data', (text: string) => (body += text));
    response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    response.on('error', failed);
  });
  asking.on('timeout', () => asking.destroy(new Error(`no answer in ${ANSWER_MS} ms`)));
  asking.on('error', failed);
  asking.end();
  return promise;
}
