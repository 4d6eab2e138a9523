// `sluice store import`.

import { createReadStream, statSync } from 'node:fs';
import { pipeline } from 'node:stream';
import { parseArgs } from 'node:util';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import { openStoreFiles, storeBytesMax } from '#shared/open/open-store-files.ts';
import { messageLine } from '../output/message-line.ts';
import { Output } from '../output/output.ts';
import { Progress } from '../output/progress.ts';
import { countText, documentsProgress, sizeText } from '../output/progress-text.ts';
import type { CommandContext } from '../process/command.ts';
import { type Imported, importLines } from './import-lines.ts';

const OPTIONS = { json: { type: 'boolean', default: false } } as const;
/** Of lines that were refused: so many are told. */
const TOLD_MAX = 20;

interface Source {
  readonly name: string;
  /** 0 where nobody knows. */
  readonly bytes: number;
  /** `read`: hears of each piece before it is unpacked. */
  open(read: (bytes: number) => void): AsyncIterable<Uint8Array>;
}

export async function run(args: string[], context: CommandContext): Promise<number> {
  const { values, positionals } = parseArgs({ args, options: OPTIONS, allowPositionals: true });
  if (positionals.length === 0)
    throw new SluiceError('usage_wrong', 'Cannot import: no file is named; name one, or - for standard input');
  const sources = positionals.map(sourceOf);
  const output = new Output(context);
  const sums: Imported = { documents: 0, known: 0, refused: 0 };
  let failure: unknown = null;
  try {
    await importAll(sources, sums, context);
  } catch (error) {
    failure = error;
  }
  const { documents, known, refused } = sums;
  const isStopped = context.signal.aborted;
  if (values.json) await output.write(`${JSON.stringify({ documents, already_there: known, refused })}\n`);
  else
    await output.write(
      `${countText(documents)} documents imported, ${countText(known)} already there, ${countText(refused)} refused\n`,
    );
  if (isStopped) await output.write(messageLine('It was stopped; run it again to go on'), output.stderr);
  else if (failure !== null) throw failure;
  return isStopped || refused > 0 ? 1 : 0;
}

async function importAll(sources: readonly Source[], sums: Imported, context: CommandContext): Promise<void> {
  const { config, clock, signal, stderr } = context;
  const bytes = sources.some((source) => source.bytes === 0)
    ? 0
    : sources.reduce((sum, source) => sum + source.bytes, 0);
  const beganMs = clock.monotonicMs();
  let bytesRead = 0;
  using shown = new Progress({ stderr, clock }, () =>
    documentsProgress(sums.documents + sums.known, {
      share: bytes === 0 ? 0 : bytesRead / bytes,
      elapsedMs: clock.monotonicMs() - beganMs,
      isTerminal: stderr.isTTY === true,
    }),
  );
  const bytesMax = await storeBytesMax(config);
  const warn = (line: string): void => shown.warn(line);
  await using store = await openStoreFiles(config, { clock, readOnly: false, bytesMax, warn });
  // As JSON, documents take more than in the store.
  const makeSure = async (more: number): Promise<void> => {
    if ((await store.files.overBytes()) + more > 0) throw full(bytesMax);
  };
  for (const { name, open } of sources) {
    const refused = (line: number, why: string): void => {
      if (sums.refused <= TOLD_MAX) shown.warn(`${name}:${line} is refused: ${why}`);
    };
    try {
      const pieces = open((read) => void (bytesRead += read));
      await importLines(pieces, { store, sums, refused, makeSure, signal });
    } catch (error) {
      if (error instanceof SluiceError || signal.aborted) throw error;
      throw new SluiceError(
        'request_malformed',
        `Cannot import ${name}: ${reasonOf(error)}; what came before is there`,
        {
          cause: error,
        },
      );
    }
  }
}

/** A service would delete what arrived first for what is imported. */
const full = (bytesMax: number): SluiceError =>
  new SluiceError(
    'store_refused',
    `Cannot import more: the store has no room within SLUICE_STORE_MAX_BYTES (${sizeText(bytesMax)}), and a service ` +
      'deletes what arrived first beyond it; raise it, for the service too, and run this again: what came before is ' +
      'there',
  );

function sourceOf(name: string): Source {
  if (name === '-') return { name: 'standard input', bytes: 0, open: (read) => counted(process.stdin, read) };
  const stat = statSync(name, { throwIfNoEntry: false });
  if (stat === undefined || stat.isDirectory())
    throw new SluiceError(
      'usage_wrong',
      `Cannot import ${name}: ${stat === undefined ? 'there is no such file' : 'it is a folder'}`,
    );
  return {
    name,
    bytes: stat.size,
    open(read) {
      const packed = counted(createReadStream(name, { highWaterMark: 1024 * 1024 }), read);
      const unpacker = name.endsWith('.gz') ? createGunzip() : name.endsWith('.zst') ? createZstdDecompress() : null;
      if (unpacker === null) return packed;
      // Whoever reads hears of what fails.
      pipeline(packed, unpacker, () => undefined);
      return unpacker;
    },
  };
}

async function* counted(pieces: AsyncIterable<unknown>, read: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    const bytes = typeof piece === 'string' ? Buffer.from(piece) : (piece as Uint8Array);
    read(bytes.length);
    yield bytes;
  }
}
