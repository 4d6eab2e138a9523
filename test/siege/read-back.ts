// What is in the store at the end: the good senders' events, by their numbers, and those that should be nowhere. From
// the embedded store by `sluice logs` and `sluice search`, from Elasticsearch by its own API.

import { join } from 'node:path';
import type { Books } from '#test/chaos/books.ts';
import { readDocuments } from '#test/chaos/read-back.ts';
import { type Place, SluiceProcess } from '#test/integration/parts/sluice-process.ts';
import { intruderMark } from './peers.ts';
import type { World } from './world.ts';

const program = join(import.meta.dirname, '../../dist/sluice.js');
/** Tags of the good senders (test/chaos/sender.ts and http-sender.ts). */
const tagPrefix = 'chaos.';

export async function readGoodDocuments({ elasticsearchUrl, targets }: World, books: Books): Promise<void> {
  if (elasticsearchUrl !== null) {
    const query = { prefix: { 'fluentd.tag': tagPrefix } };
    await readDocuments(elasticsearchUrl, { books, clientBooks: books, doomedBooks: books }, query);
    return;
  }
  for (const line of await linesOf(targets[0].place, 'logs', `${tagPrefix}*`, '--json', '-n', 'all')) {
    const { attributes } = JSON.parse(line) as { attributes?: { s?: unknown; n?: unknown } };
    books.find(Number(attributes?.s), Number(attributes?.n));
  }
}

export async function countIntruders({ elasticsearchUrl, targets }: World): Promise<number> {
  if (elasticsearchUrl === null) return (await linesOf(targets[0].place, 'search', intruderMark, '--json')).length;
  const answer = await fetch(`${elasticsearchUrl}/logs-sluice-*/_count`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: { match: { message: intruderMark } } }),
  });
  const { count } = (await answer.json()) as { count?: number };
  if (count === undefined) throw new Error('Cannot count the intruders: Elasticsearch does not tell');
  return count;
}

async function linesOf(place: Place, ...command: string[]): Promise<string[]> {
  await using process_ = new SluiceProcess(command, place, {}, [process.execPath, program]);
  const { code, stdout, stderr } = await process_.finished;
  // A name of which nothing is stored.
  if (code === 1 && stderr.includes('of that name')) return [];
  if (code !== 0) throw new Error(`Cannot read back: sluice ${command.join(' ')} ended with ${code}: ${stderr}`);
  return stdout.split('\n').filter((line) => line !== '');
}
