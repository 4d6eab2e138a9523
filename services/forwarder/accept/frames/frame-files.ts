// The files of frames that are too large to be held while they come. All files together are bounded, in bytes and in
// number, and so are those of one network: in bytes it may have as many as it leaves free.
//
// Guarantees: a file has no name from the moment it is open, so it is gone with its connection or with the process;
// what a kill left between the two is removed at the next start; only its owner may read it (0600).

import { randomUUID } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { DynamicShares } from '../turns/dynamic-shares.ts';

export interface FrameFilesOptions {
  readonly folder: string;
  /** Of all files together; 0: there are none. */
  readonly bytesMax: number;
  /** A frame of so many bytes may be held in memory. */
  readonly heldBytesMax: number;
  /** Files that are open at once, for each costs a descriptor; absent: as many as there are frames. */
  readonly filesMax?: number;
}

/** Frames above this go to a file, so that few of them fill no memory. */
const MEMORY_BYTES_MAX = 4 * 1024 * 1024;
/** Of the files, one network may have so many, and one at least. */
const NETWORK_SHARE = 0.25;
/** Of the bytes, one network alone may have so many: no more than it leaves free. */
const ALONE_SHARE = 0.5;

export class FrameFiles {
  readonly options: FrameFilesOptions;
  readonly #byNetwork = new Map<string, number>();
  readonly #shares: DynamicShares;
  #count = 0;

  constructor(options: FrameFilesOptions) {
    this.options = options;
    this.#shares = new DynamicShares(options.bytesMax);
    for (const name of leftovers(options.folder)) rmSync(join(options.folder, name), { force: true });
  }

  get isOff(): boolean {
    return this.options.bytesMax === 0;
  }

  /** Of all files. */
  get bytes(): number {
    return this.#shares.bytes;
  }

  /** The largest frame for which there is ever a place: what no file takes may be held in memory. */
  get frameBytesMax(): number {
    return Math.max(this.options.bytesMax * ALONE_SHARE, this.options.heldBytesMax);
  }

  /** A frame of more than so many bytes goes to a file. */
  get memoryBytesMax(): number {
    return Math.min(this.options.heldBytesMax, MEMORY_BYTES_MAX);
  }

  /** The place of a file until it is disposed of. Throws where there are as many as may be. */
  enter(network: string): Disposable {
    const { filesMax = Infinity } = this.options;
    const ofNetwork = this.#byNetwork.get(network) ?? 0;
    if (this.#count >= filesMax) throw new Error(`${filesMax} frames are in files already`);
    if (ofNetwork >= Math.max(1, filesMax * NETWORK_SHARE)) {
      throw new Error(`${ofNetwork} frames of its network are in files already`);
    }
    this.#count += 1;
    this.#byNetwork.set(network, ofNetwork + 1);
    return { [Symbol.dispose]: () => this.#leave(network) };
  }

  #leave(network: string): void {
    this.#count -= 1;
    const left = (this.#byNetwork.get(network) ?? 0) - 1;
    if (left > 0) this.#byNetwork.set(network, left);
    else this.#byNetwork.delete(network);
  }

  /** Of the disk, for a file of that network. Throws where all files, or its own, would have more than they may. */
  take(network: string, bytes: number): void {
    const { bytesMax } = this.options;
    if (this.bytes + bytes > bytesMax) throw new Error(`all frames in files would be larger than ${bytesMax} bytes`);
    if (!this.#shares.fits(network, bytes)) {
      throw new Error(`frames in files of its network would be larger than what they leave free of ${bytesMax} bytes`);
    }
    this.#shares.take(network, bytes);
  }

  give(network: string, bytes: number): void {
    this.#shares.give(network, bytes);
  }

  async open(): Promise<FileHandle> {
    const { folder } = this.options;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, `${randomUUID()}.frame`);
    const file = await open(path, 'wx+', 0o600);
    try {
      await unlink(path);
    } catch (error) {
      await file.close();
      throw error;
    }
    return file;
  }
}

/** Another process of the same folder may be between opening and unlinking; it does not mind. */
function leftovers(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith('.frame'));
  } catch {
    // There is none, or none that can be read: then there is nothing to remove.
    return [];
  }
}
