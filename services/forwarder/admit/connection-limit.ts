// How many connections there may be: of one input, of one address to it, and of all inputs together. All inputs
// together stay below the process's limit of open files (`ulimit -n`), so that enough are left for its own files, the
// brokers and the admin page.
//
// Guarantees: an admitted connection is counted once, until its permit is disposed of; its permit is given before a
// byte is read.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { hostOfPeer } from '#shared/net/networks.ts';

/** What the process keeps for itself: databases, brokers, the store, the admin page. */
const RESERVED_SHARE = 0.25;
const RESERVED_MIN = 128;
/** Less than a third of what is reserved, however few may be open. */
const FRAME_FILES_SHARE = 1 / 16;
/** Of all, where files are collected: they come out of what connections have. */
const COLLECTED_FILES_SHARE = 0.25;
const COLLECTED_FILES_MAX = 10_000;
/** Where the system does not tell. */
const OPEN_FILES_BELIEVED = 1024;
const OPEN_FILES_LINE = /^Max open files\s+(\d+|unlimited)/m;

export interface ConnectionLimitOptions {
  readonly max: number;
  readonly perAddressMax: number;
  readonly all: ConnectionTotal;
}

/** Connections of all inputs. */
export class ConnectionTotal {
  readonly max: number;
  #count = 0;

  constructor(max: number) {
    assert(max > 0);
    this.max = max;
  }

  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count >= this.max;
  }

  add(change: 1 | -1): void {
    this.#count += change;
    assert(this.#count >= 0, 'a connection is counted once');
  }
}

/** Connections of one input. */
export class ConnectionLimit {
  readonly #options: ConnectionLimitOptions;
  readonly #byAddress = new Map<string, number>();
  #count = 0;

  constructor(options: ConnectionLimitOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#count;
  }

  /** Null where a limit is reached. `peer`: of `peerAddress`; all peers of a unix socket share one. */
  enter(peer: string): Disposable | null {
    const address = hostOfPeer(peer);
    const { max, perAddressMax, all } = this.#options;
    const ofAddress = this.#byAddress.get(address) ?? 0;
    if (this.#count >= max || ofAddress >= perAddressMax || all.isFull) return null;
    this.#byAddress.set(address, ofAddress + 1);
    this.#count += 1;
    all.add(1);
    let isOpen = true;
    return {
      [Symbol.dispose]: () => {
        assert(isOpen, 'a connection ends once');
        isOpen = false;
        this.#leave(address);
      },
    };
  }

  #leave(address: string): void {
    const left = (this.#byAddress.get(address) ?? 0) - 1;
    if (left > 0) this.#byAddress.set(address, left);
    else this.#byAddress.delete(address);
    this.#count -= 1;
    this.#options.all.add(-1);
  }
}

/** Connections that a process with so many open files may take. */
export function connectionsWithin(openFilesMax: number, collects: boolean): number {
  const reserved = Math.max(RESERVED_MIN, Math.ceil(openFilesMax * RESERVED_SHARE));
  return Math.max(1, openFilesMax - reserved - (collects ? collectedFilesWithin(openFilesMax) : 0));
}

/** Files that are collected and may be open at once, beside those connections. */
export function collectedFilesWithin(openFilesMax: number): number {
  return Math.max(1, Math.min(COLLECTED_FILES_MAX, Math.floor(openFilesMax * COLLECTED_FILES_SHARE)));
}

/** Frames that may be in files at once, out of what the process keeps for itself. */
export function frameFilesWithin(openFilesMax: number): number {
  return Math.max(1, Math.floor(openFilesMax * FRAME_FILES_SHARE));
}

/** What the process may have open at once, as the system says. */
export function openFilesMax(): number {
  try {
    const [, limit = ''] = OPEN_FILES_LINE.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    if (limit === 'unlimited') return Number.MAX_SAFE_INTEGER;
    return Number(limit) || OPEN_FILES_BELIEVED;
  } catch {
    return OPEN_FILES_BELIEVED;
  }
}
