// How fast lines of a file become named entries: the collector's own work on each line, without disk and queue.

import { LineEntries, fieldsOfFile } from '#forwarder/decode/files/line-entries.ts';
import { encodingOf } from '#forwarder/decode/files/file-encoding.ts';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { chainStart } from '#shared/record/chain.ts';
import { BEGAN_MS } from './backlog.ts';
import { Chance, lineOf } from './lines.ts';

/** As much as a turn reads. */
const READ_BYTES = 256 * 1024;
const WARM_ROUNDS = 100;
const ROUNDS = 600;

export function measureLines(): void {
  const chance = new Chance(1);
  let text = '';
  for (let number = 0; text.length < READ_BYTES; number += 1)
    text += lineOf(new Date(BEGAN_MS + number * 20).toISOString(), 1, number, chance);
  const bytes = Buffer.from(text).subarray(0, READ_BYTES);
  const writer = new MsgpackWriter(READ_BYTES);
  const source = {
    fields: fieldsOfFile('/var/log/service-0001.log', 'node-1'),
    encoding: encodingOf(bytes, undefined),
  };
  const entries = new LineEntries(source, { offset: 0, chain: chainStart('bench', '0'), crc32: 0 });
  const read = (rounds: number): number => {
    let lines = 0;
    for (let round = 0; round < rounds; round += 1) {
      writer.reset();
      lines += entries.take(writer, bytes, 0, bytes.length).count;
      writer.take();
    }
    return lines;
  };
  read(WARM_ROUNDS);
  const before = process.cpuUsage();
  const lines = read(ROUNDS);
  const { user, system } = process.cpuUsage(before);
  console.log(`files: ${Math.round((lines / (user + system)) * 1000)} k lines become named entries in a CPU-second`);
}
