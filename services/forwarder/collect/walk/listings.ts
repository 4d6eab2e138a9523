// The names in the folders of a walk, each folder read once as long as there are not too many of them to keep.
//
// Guarantees: only so many names of a folder are read. Memory stays within KEPT_BYTES and a page: whoever may write to
// a folder can fill it with long names, which cost neither him nor the disk anything.

import type { Dirent } from 'node:fs';
import { opendir } from 'node:fs/promises';

export interface Name {
  readonly name: string;
  readonly kind: 'file' | 'folder' | 'link' | 'other';
}

const PAGE_NAMES = 1024;
/** Of a folder. */
const NAMES_MAX = 100_000;
/** Of all folders, for who asks again. */
const KEPT_BYTES = 16 * 1024 * 1024;
/** Beside its letters, about. */
const NAME_BYTES = 96;

export class Listings {
  readonly #kept = new Map<string, readonly Name[]>();
  #keptBytes = 0;
  /** Folders of which not all names were read. */
  readonly overfull = new Set<string>();

  /** In pages. A folder that is gone, or may not be read, has nothing now. */
  async *in(folder: string): AsyncGenerator<readonly Name[], void, void> {
    const kept = this.#kept.get(folder);
    if (kept !== undefined) return yield kept;
    const keeping = new KeptNames(KEPT_BYTES - this.#keptBytes);
    let count = 0;
    for await (const page of pagesOf(folder)) {
      const left = NAMES_MAX - count;
      if (page.length > left) this.overfull.add(folder);
      const names = page.length > left ? page.slice(0, left) : page;
      count += names.length;
      keeping.add(names);
      yield names;
      if (this.overfull.has(folder)) return;
    }
    if (keeping.names === null) return;
    this.#kept.set(folder, keeping.names);
    this.#keptBytes += keeping.bytes;
  }
}

/** Until there are too many. */
class KeptNames {
  names: Name[] | null = [];
  bytes = 0;
  readonly #bytesMax: number;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  add(names: readonly Name[]): void {
    this.bytes += names.reduce((bytes, { name }) => bytes + name.length + NAME_BYTES, 0);
    if (this.bytes > this.#bytesMax) this.names = null;
    this.names?.push(...names);
  }
}

async function* pagesOf(folder: string): AsyncGenerator<Name[], void, void> {
  let page: Name[] = [];
  try {
    for await (const entry of await opendir(folder, { bufferSize: PAGE_NAMES })) {
      page.push({ name: entry.name, kind: kindOf(entry) });
      if (page.length < PAGE_NAMES) continue;
      yield page;
      page = [];
    }
  } catch {
    // What was read of it is there.
  }
  if (page.length > 0) yield page;
}

function kindOf(entry: Dirent): Name['kind'] {
  if (entry.isFile()) return 'file';
  if (entry.isDirectory()) return 'folder';
  return entry.isSymbolicLink() ? 'link' : 'other';
}
