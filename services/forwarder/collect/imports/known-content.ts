// Which generation a file's content belongs to, where its identity does not say, or not for sure. What is too like to
// be told apart, and not the same, is no generation's.

import { compressionOf } from '../../decode/files/source-path.ts';
import { type Generation, unreadBytesOf } from '../checkpoints/generations.ts';
import { checkOf } from '../files/file-bytes.ts';
import { contentOf } from '../files/file-content.ts';
import { openRegular } from '../files/file-identity.ts';

/** Whether the file, which has the generation's identity, still has what was read of it. */
export async function isSameFile(path: string, generation: Generation, signal: AbortSignal): Promise<boolean> {
  const compression = compressionOf(path);
  if (compression !== null) {
    // Without a place there is nothing to compare.
    if (generation.place.offset === 0) return generation.unfinishedEnd === 0;
    const content = await contentOf(path, { compression, generations: [generation], signal });
    signal.throwIfAborted();
    return content.beginsWith.length > 0;
  }
  const handle = await openRegular(path);
  try {
    // Its times say nothing: who only touches a file does not want its lines twice.
    return (await checkOf(handle, generation)) !== null;
  } finally {
    await handle.close();
  }
}

export interface KnownOptions {
  readonly generations: readonly Generation[];
  readonly signal: AbortSignal;
}

/**
 * The generation that has all that the file has, or of whose file, which is gone, this one has the rest. Null where
 * there is none: then it may begin as another one does, and be one of its own.
 */
export async function generationWith(path: string, options: KnownOptions): Promise<Generation | null> {
  const { generations, signal } = options;
  if (generations.every(({ place }) => place.offset === 0)) return null;
  const { beginsWith, size, isWhole } = await contentOf(path, {
    compression: compressionOf(path),
    generations,
    signal,
  });
  signal.throwIfAborted();
  if (!isWhole) return null;
  const isAll = ({ place, unfinishedEnd }: Generation): boolean => size === Math.max(place.offset, unfinishedEnd);
  const all = beginsWith.find(isAll);
  const isRest = (one: Generation): boolean => one.identity === '' && unreadBytesOf(one) > 0 && size >= one.size;
  const rest = beginsWith.filter(isRest).toSorted((a, b) => a.place.offset - b.place.offset);
  return all ?? rest[0] ?? null;
}
