// Erasing dead letters by the process that has the embedded queue: requested over the admin address. Which ones, the
// command has found out by itself; they are named in a file in the queue's folder.
//
//   <data.dir>/queue/erase-<32 hex digits>.json   {"offsets":[3,17]}
//   POST /dead-letters/erase                      {"list":"erase-<32 hex digits>"}
//   200                                           {"erased":2}
//
// Guarantees: nobody has something erased who cannot write to the data folder, whoever may ask the page.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import type { Config } from '#shared/config/settings.ts';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import type { AdminAction } from '#shared/net/admin-routes.ts';
import type { Queue } from '#shared/queue/queue.ts';
import { actionLines } from '../admin/action-lines.ts';

const PATH = '/dead-letters/erase';
const RequestBody = Type.Object(
  { list: Type.String({ pattern: '^erase-[0-9a-f]{32}$' }) },
  { additionalProperties: false },
);
const ListFile = Type.Object(
  { offsets: Type.Array(Type.Integer({ minimum: 0 }), { maxItems: 10_000 }) },
  { additionalProperties: false },
);
/** In one transaction: what is appended meanwhile waits for it. */
export const OFFSETS_MAX = 1000;

/** The action of a service that has the queue. */
export function eraseAction(queue: Pick<Queue, 'eraseDeadLetters'>, config: Config): AdminAction {
  return {
    path: PATH,
    about: 'POST: erases dead letters; asked by `sluice erase` from this machine',
    async *run(body) {
      if (!Value.Check(RequestBody, body))
        throw new SluiceError('request_malformed', 'Cannot erase: the request is no such one');
      if (!queue.eraseDeadLetters)
        throw new SluiceError('queue_refused', 'Cannot erase dead letters: Kafka keeps them for their retention');
      const { offsets } = readList(config, body.list);
      yield `${JSON.stringify({ erased: await queue.eraseDeadLetters(offsets) })}\n`;
    },
  };
}

function readList(config: Config, name: string): { readonly offsets: number[] } {
  let list: unknown;
  try {
    list = JSON.parse(readFileSync(listFile(config, name), 'utf8'));
  } catch (error) {
    throw new SluiceError('request_malformed', 'Cannot erase: its list is not in the data folder', { cause: error });
  }
  if (!Value.Check(ListFile, list)) throw new SluiceError('request_malformed', 'Cannot erase: its list is malformed');
  return list;
}

function listFile(config: Config, name: string): string {
  return join(config['data.dir'], 'queue', `${name}.json`);
}

/** Has the process that listens on `admin.listen` erase. Resolves to how many there were. */
export async function askToErase(config: Config, offsets: readonly number[], signal: AbortSignal): Promise<number> {
  const list = `erase-${randomBytes(16).toString('hex')}`;
  const file = listFile(config, list);
  try {
    await writeFile(file, JSON.stringify({ offsets }), { mode: 0o600, flag: 'wx' });
    return await ask(config, list, signal);
  } finally {
    await rm(file, { force: true });
  }
}

async function ask(config: Config, list: string, signal: AbortSignal): Promise<number> {
  const listen = config['admin.listen'];
  try {
    for await (const line of actionLines(config, { path: PATH, what: 'erase dead letters', body: { list }, signal }))
      return Number((JSON.parse(line) as { erased?: unknown }).erased);
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    throw new SluiceError(
      'data_dir_locked',
      `Cannot erase dead letters: another sluice process has the queue, and cannot be asked on ${listen} ` +
        `(${reasonOf(error)}). Stop that one, then try again.`,
      { cause: error },
    );
  }
  throw new SluiceError('queue_unavailable', `Cannot erase dead letters: the process on ${listen} gave no answer`);
}
