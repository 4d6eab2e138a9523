// Assembles GELF messages that come in up to 128 datagrams, which the protocol calls chunks.
//
//   1e 0f  id (8)  sequence (1)  count (1)  a part of the message
//
// Parts come in any order, twice, or not at all. https://go2docs.graylog.org/current/getting_in_log_data/gelf.html
// Guarantees: total; bounded by bytes and messages, in all and for each sender (an address, or an IPv6 network of 64
// bits): the oldest message gives way. A message that is incomplete after `timeoutMs` is given up. Each loss is
// reported, so that it can be counted. The caller gives the time.

import { networkOfPeer } from '#shared/net/networks.ts';

const HEADER_BYTES = 12;
const COUNT_MAX = 128;
/** What a message that waits costs beside its bytes. */
const OVERHEAD_BYTES = 1024;
/** What each of its parts does: a datagram of 13 bytes is a buffer of its own. */
const PART_OVERHEAD_BYTES = 320;

export interface GelfChunksLimits {
  /** From the first part on, by a monotonic clock. */
  readonly timeoutMs: number;
  readonly bytesMax: number;
  readonly messagesMax: number;
  /** What one sender may have of it. */
  readonly senderBytesMax: number;
  readonly senderMessagesMax: number;
}

/** `incomplete`: parts did not come in time; `no_room`: it gave way to others. */
export type GaveUp = 'incomplete' | 'no_room';

/** `wait`: parts are missing; `malformed`: a part that can be none. */
export type Assembled = Buffer | 'wait' | 'malformed';

interface Message {
  readonly key: string;
  /** Its address, or the IPv6 network of it: whom it counts against. */
  readonly owner: string;
  readonly dueMs: number;
  readonly parts: (Buffer | undefined)[];
  missing: number;
  /** Of its parts, and beside them. */
  bytes: number;
  partBytes: number;
}

interface OwnerUsage {
  messages: number;
  bytes: number;
}

export class GelfChunks {
  readonly #limits: GelfChunksLimits;
  readonly #giveUp: (why: GaveUp, bytes: number) => void;
  /** By sender and id, the oldest first. */
  readonly #messages = new Map<string, Message>();
  readonly #owners = new Map<string, OwnerUsage>();
  #bytes = 0;

  /** `giveUp` is called for each message that is lost, with the bytes that there were of it. */
  constructor(limits: GelfChunksLimits, giveUp: (why: GaveUp, bytes: number) => void) {
    this.#limits = limits;
    this.#giveUp = giveUp;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** When the oldest message has waited long enough; null where none waits. */
  get dueMs(): number | null {
    for (const message of this.#messages.values()) return message.dueMs;
    return null;
  }

  /**
   * Takes a datagram that `isGelfChunk`; keeps it until its message is whole. The time must not go back from call to
   * call.
   */
  add(datagram: Buffer, sender: string, nowMs: number): Assembled {
    const sequence = datagram[10] ?? 0;
    const count = datagram[11] ?? 0;
    if (datagram.length < HEADER_BYTES || count === 0 || count > COUNT_MAX || sequence >= count) return 'malformed';
    const part = datagram.subarray(HEADER_BYTES);
    if (count === 1) return part;
    const key = `${sender} ${datagram.toString('latin1', 2, 10)}`;
    const message = this.#messages.get(key) ?? this.#start(key, networkOfPeer(sender), count, nowMs);
    if (message.parts.length !== count) return 'malformed';
    if (message.parts[sequence]) return 'wait';
    message.parts[sequence] = part;
    message.missing -= 1;
    message.partBytes += part.length;
    this.#grow(message, part.length + PART_OVERHEAD_BYTES);
    if (message.missing > 0) {
      this.#makeRoom(message.owner);
      return 'wait';
    }
    this.#remove(message);
    return Buffer.concat(message.parts.filter((one) => one !== undefined));
  }

  /** Gives up what has waited long enough. */
  expire(nowMs: number): void {
    for (const message of this.#messages.values()) {
      if (message.dueMs > nowMs) break;
      this.#lose(message, 'incomplete');
    }
  }

  /** Gives up all. */
  clear(): void {
    for (const message of this.#messages.values()) this.#lose(message, 'incomplete');
  }

  #start(key: string, owner: string, count: number, nowMs: number): Message {
    const message: Message = {
      key,
      owner,
      dueMs: nowMs + this.#limits.timeoutMs,
      parts: new Array<Buffer | undefined>(count).fill(undefined),
      missing: count,
      bytes: 0,
      partBytes: 0,
    };
    this.#messages.set(key, message);
    const usage = this.#owners.get(owner) ?? { messages: 0, bytes: 0 };
    usage.messages += 1;
    this.#owners.set(owner, usage);
    this.#grow(message, OVERHEAD_BYTES);
    return message;
  }

  #grow(message: Message, bytes: number): void {
    message.bytes += bytes;
    this.#bytes += bytes;
    const usage = this.#owners.get(message.owner);
    if (usage) usage.bytes += bytes;
  }

  #makeRoom(owner: string): void {
    const { bytesMax, messagesMax, senderBytesMax, senderMessagesMax } = this.#limits;
    const usage = this.#owners.get(owner);
    if (usage && (usage.bytes > senderBytesMax || usage.messages > senderMessagesMax)) {
      for (const message of this.#messages.values()) {
        if (message.owner === owner) {
          this.#lose(message, 'no_room');
          if (usage.bytes <= senderBytesMax && usage.messages <= senderMessagesMax) break;
        }
      }
    }
    for (const message of this.#messages.values()) {
      if (this.#bytes <= bytesMax && this.#messages.size <= messagesMax) break;
      this.#lose(message, 'no_room');
    }
  }

  #lose(message: Message, why: GaveUp): void {
    this.#remove(message);
    this.#giveUp(why, message.partBytes);
  }

  #remove(message: Message): void {
    this.#messages.delete(message.key);
    this.#bytes -= message.bytes;
    const usage = this.#owners.get(message.owner);
    if (!usage) return;
    usage.messages -= 1;
    usage.bytes -= message.bytes;
    if (usage.messages === 0) this.#owners.delete(message.owner);
  }
}

export function isGelfChunk(datagram: Buffer): boolean {
  return datagram[0] === 0x1e && datagram[1] === 0x0f;
}
