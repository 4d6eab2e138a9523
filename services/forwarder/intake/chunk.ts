// A chunk is the one form that intake accepts; every input makes chunks of what it receives. Inputs depend on intake,
// and none of them knows what lies behind it.

import type { Encoding } from '#shared/record/record.ts';

/** Inputs with an address of their own, which connections come to. */
export const LISTENERS = ['forward', 'http', 'syslog', 'gelf'] as const;
export type Listener = (typeof LISTENERS)[number];
/** What is spoken on the HTTP input's address beside `POST /<tag>`. */
type DialectName = 'otlp' | 'splunk' | 'elasticsearch' | 'loki' | 'journal';

/** What is read from this machine itself; nobody sends it. */
type CollectedName = 'files' | 'journald';

/** A closed set, since it is a metric label. */
export type InputName = Listener | DialectName | CollectedName;

/** Where something came from: part of its identity, of its partition, and of its document. */
export interface Origin {
  /** Valid UTF-8, 1 to 1024 bytes. */
  readonly tag: string;
  readonly input: InputName;
  readonly tenant: string | null;
  /** Hostname of an authenticated sender, else the peer's address without the port. */
  readonly sender: string;
  /** The peer's address where `sender` is a name that it gave itself. */
  readonly peerAddress?: string;
}

/** Only the origin of something that has more. */
export function originOf({ tag, input, tenant, sender, peerAddress }: Origin): Origin {
  return { tag, input, tenant, sender, ...(peerAddress !== undefined && { peerAddress }) };
}

/** CRC-32 (zlib) and length of what a sender sent under a name. */
export interface Content {
  readonly crc32: number;
  readonly length: number;
}

export interface Chunk extends Origin {
  /** The sender's name for the chunk (Forward `chunk`, HTTP `Idempotency-Key`); null where it gave none. */
  readonly chunkId: Uint8Array | null;
  /**
   * What the identity goes by beside the chunk id, where that is not `entries`: of HTTP the body as it was sent, so
   * that a name does not hang on how this version of ours converts it. With a chunk id the entries must be a function
   * of that body: no clock.
   */
  readonly content?: Content;
  /** How the sender compressed `bytes`. */
  readonly encoding: Encoding;
  /** The run of entries `[time, record]`, as the sender sent it. */
  readonly bytes: Uint8Array;
  /** The run uncompressed; the same as `bytes` where it came so. */
  readonly entries: Uint8Array;
  /** If present: call it when `entries` are no longer needed. Then they are gone. */
  readonly freeEntries?: () => void;
  /**
   * If present: called once the chunk is stored and `bytes`, which are not compressed, are of no more use here, so that
   * their memory can be given back: left to the garbage collector, hundreds of megabytes a second would lie about. Not
   * called where an event of it was dead-lettered, or the chunk refused.
   */
  readonly freeBytes?: () => void;
  /** Entries in the run, at least 1. */
  readonly count: number;
  /** For entries that are named by position: the chain at the start of the first one; see shared/record/chain.ts. */
  readonly chain?: Uint8Array;
}

/**
 * What a chunk in hand costs beside its bytes: its objects, its row in a record's table, all that waits for it, and its
 * ack. Live bytes of the smallest with an ack, by test/forwarder/chunk-cost.test.ts (3194 on Node 26), rounded
 * up.
 */
export const CHUNK_OVERHEAD_BYTES = 3584;

/**
 * What a dead letter on its way costs in hand beside its bytes: its record, its place in a file, its log line, all that
 * waits for it.
 */
export const DEAD_LETTER_OVERHEAD_BYTES = 4096;

/** Data that can never be indexed, and that its sender would send for ever if it were only refused. */
export interface Undecodable extends Origin {
  readonly bytes: Uint8Array;
  readonly reason: 'chunk_undecodable' | 'chunk_too_large' | 'entry_malformed' | 'entry_too_large' | 'too_many_events';
  /** Our decoder's reason. */
  readonly error: string;
  /** Whether `bytes` are only its beginning. */
  readonly cut?: boolean;
  /** Messages that lie in `bytes` together; absent: one. */
  readonly count?: number;
}

/** A chunk whose entries come in slices, since it is too large to be held, or has something bad in it. */
export interface SlicedChunk extends Origin {
  readonly chunkId: Uint8Array | null;
  /** CRC-32 (zlib) and length of all of it, uncompressed, what is bad in it included. */
  readonly content: { readonly crc32: number; readonly length: number };
  /** Its first bytes, uncompressed; enough for the first entry's time. */
  readonly head: Uint8Array;
  /** Entries, at least one, together with the values that are no entries. */
  readonly count: number;
  /** Of these, the values that are no entries. */
  readonly bad: number;
  /** As it was sent. */
  readonly sentBytes: number;
}

/** Whole values of a chunk that are no entries, one after another. */
export interface BadEntries {
  readonly bytes: Buffer;
  /** Index of the first. */
  readonly first: number;
  readonly count: number;
  readonly why: string;
  /** Whether `bytes` are only the beginning of one. */
  readonly cut: boolean;
}

/** The rest of a chunk that could not be decoded. */
export interface UnreadRest {
  readonly bytes: Buffer;
  readonly why: string;
  readonly cut: boolean;
}

/**
 * Where a sliced chunk goes. Each call resolves when the next may come, and rejects when the chunk can't be held. What
 * is given is lent until the call has resolved.
 */
export interface Slices {
  /** Whole entries; `first` is the index of the first one. */
  add(entries: Uint8Array, first: number, count: number): Promise<void>;
  reject(bad: BadEntries): Promise<void>;
  rejectRest(rest: UnreadRest): Promise<void>;
}

/** Whether more may be read. */
export interface Room {
  /** False while the bytes in hand are at their limit: stop reading. */
  readonly hasRoom: boolean;
  /** Resolves when there is room. `over` aborts when nobody waits any more; then it may resolve without room. */
  room(over?: AbortSignal): Promise<void>;
}

export interface Intake extends Room {
  /**
   * Resolves when all bytes of the chunk are held durably: only then may the sender hear "ok". Rejects with a
   * SluiceError; the chunk may then be held or not, and the sender must try again. With `too_many_events` it is not,
   * and never will be.
   */
  accept(chunk: Chunk): Promise<void>;
  /** Resolves when the dead letters have stored all bytes, so that the sender may forget them. */
  deadLetter(undecodable: Undecodable): Promise<void>;
  /** Why nothing can be held now, for HTTP's early 503; null while all is well. */
  readonly unreadyReason: string | null;
}

/** For inputs whose chunks may be too large to be held. */
export interface SlicedIntake extends Intake {
  /** As `accept`, for a chunk in slices, which `feed` gives in their order. Rejects with an error of `feed` too. */
  acceptSlices(chunk: SlicedChunk, feed: (slices: Slices) => Promise<void>): Promise<void>;
}
