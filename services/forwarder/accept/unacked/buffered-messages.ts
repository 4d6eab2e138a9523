// Messages that were begun and are not whole, of all connections of a server without acks: a bound on their bytes, and
// on how long one may take. Of the network that holds most whoever holds most for longest pays for it, not whoever
// happens to read: its message is let go of, or its connection is closed.
//
// Guarantees: at most `bytesMax` is held after each update; a message of more than `SMALL_BYTES` is held `timeoutMs`
// and one check at most from when it began, and for as long as its last piece waits for its turn. Only while nobody is
// read, for want of room, time stands still.

import type { Clock } from '#shared/clock.ts';

export interface BufferOwner {
  /** Waits for us (for room, for a turn), so that its silence is not its peer's. */
  readonly isWaiting: boolean;
  /** Lets go of what it can of its message, and updates. */
  relieve(): void;
  /** Is to end; it has been left out already. */
  evict(reason: 'slow_when_full' | 'frame_timeout'): void;
}

export interface BufferedMessagesOptions {
  readonly bytesMax: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Whether what is read now can go on; while it cannot, no message could come whole. */
  readonly hasRoom: () => boolean;
}

/** What one connection holds. */
export class BufferPass {
  readonly owner: BufferOwner;
  readonly network: string;
  bytes = 0;
  /** A message was begun, though its last piece may wait for its turn: that is counted elsewhere then. */
  isBegun = false;
  /** Since when, monotonic. */
  sinceMs = 0;
  /** It has taken longer than it may. */
  isOverdue = false;

  constructor(owner: BufferOwner, network: string) {
    this.owner = owner;
    this.network = network;
  }
}

/** No more than a connection costs anyway: some senders of syslog end a line only when the next one comes. */
const SMALL_BYTES = 1024;
/** So much older counts a message than it is, so that among the young the size decides. */
const AGE_MS_MIN = 1000;
/** Of the time limit. */
const CHECKS = 10;

export class BufferedMessages {
  readonly #options: BufferedMessagesOptions;
  readonly #passes = new Set<BufferPass>();
  #bytes = 0;
  #isRelieving = false;
  #isWatching = false;

  constructor(options: BufferedMessagesOptions) {
    this.#options = options;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** `network`: of its peer. */
  enter(owner: BufferOwner, network = ''): BufferPass {
    const pass = new BufferPass(owner, network);
    this.#passes.add(pass);
    return pass;
  }

  leave(pass: BufferPass): void {
    if (!this.#passes.delete(pass)) return;
    this.#bytes -= pass.bytes;
    pass.bytes = 0;
  }

  /** To be called whenever it has read. `isAnew`: a message before has ended. Nothing where it has left. */
  update(pass: BufferPass, bytes: number, isAnew: boolean): void {
    this.#update(pass, bytes, { isAnew, isBegun: bytes > 0 });
  }

  /**
   * What it has waits for room, or for its turn, and is counted elsewhere; the message that it belongs to grows older
   * meanwhile.
   */
  rest(pass: BufferPass, isAnew: boolean): void {
    this.#update(pass, 0, { isAnew, isBegun: true });
  }

  #update(pass: BufferPass, bytes: number, { isAnew, isBegun }: { isAnew: boolean; isBegun: boolean }): void {
    if (!this.#passes.has(pass)) return;
    if (isAnew || !pass.isBegun) {
      pass.sinceMs = this.#options.clock.monotonicMs();
      pass.isOverdue = false;
    }
    pass.isBegun = isBegun;
    this.#bytes += bytes - pass.bytes;
    pass.bytes = bytes;
    if (isBegun) this.#watch();
    this.#endIfOverdue(pass);
    if (this.#bytes > this.#options.bytesMax && !this.#isRelieving) this.#makeRoom();
  }

  #makeRoom(): void {
    this.#isRelieving = true;
    try {
      while (this.#bytes > this.#options.bytesMax) {
        const heaviest = this.#heaviest();
        if (!heaviest) break;
        const before = heaviest.bytes;
        heaviest.owner.relieve();
        if (heaviest.bytes >= before) this.#evict(heaviest, 'slow_when_full');
      }
    } finally {
      // Else one that threw would take the bound from all of them for good.
      this.#isRelieving = false;
    }
  }

  /**
   * Of the network that holds most, by bytes and age; of these, those that wait for us last: else one that waits would
   * have others pay.
   */
  #heaviest(): BufferPass | null {
    const holding = heaviestNetwork([...this.#passes].filter(({ bytes }) => bytes > 0));
    const silent = holding.filter(({ owner }) => !owner.isWaiting);
    return heaviestOf(silent.length > 0 ? silent : holding, this.#options.clock.monotonicMs());
  }

  #evict(pass: BufferPass, reason: 'slow_when_full' | 'frame_timeout'): void {
    this.leave(pass);
    pass.owner.evict(reason);
  }

  #watch(): void {
    if (this.#isWatching) return;
    this.#isWatching = true;
    const { clock, timeoutMs, hasRoom } = this.#options;
    const beganMs = clock.monotonicMs();
    const couldRead = hasRoom();
    clock.timer(timeoutMs / CHECKS, () => {
      this.#isWatching = false;
      if (couldRead && hasRoom()) this.#endOverdue();
      else this.#passOver(beganMs);
      if (this.#passes.values().some(({ isBegun }) => isBegun)) this.#watch();
    });
  }

  /** Nobody was read since `fromMs`. */
  #passOver(fromMs: number): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const pass of this.#passes) pass.sinceMs += nowMs - Math.max(fromMs, pass.sinceMs);
  }

  #endOverdue(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const pass of this.#passes) {
      if (!pass.isBegun || nowMs - pass.sinceMs < this.#options.timeoutMs) continue;
      pass.isOverdue = true;
      this.#endIfOverdue(pass);
    }
  }

  /** What waits for its turn may end the message: it is looked at when its turn has come. */
  #endIfOverdue(pass: BufferPass): void {
    if (!pass.isOverdue || pass.bytes <= SMALL_BYTES) return;
    pass.isOverdue = false;
    pass.owner.relieve();
    if (pass.bytes > SMALL_BYTES) this.#evict(pass, 'frame_timeout');
  }
}

function heaviestNetwork(passes: readonly BufferPass[]): readonly BufferPass[] {
  let heaviest: readonly BufferPass[] = [];
  let most = 0;
  for (const of of Map.groupBy(passes, ({ network }) => network).values()) {
    const bytes = of.reduce((sum, pass) => sum + pass.bytes, 0);
    if (bytes <= most) continue;
    heaviest = of;
    most = bytes;
  }
  return heaviest;
}

function heaviestOf(passes: readonly BufferPass[], nowMs: number): BufferPass | null {
  let heaviest: BufferPass | null = null;
  let most = 0;
  for (const pass of passes) {
    const weight = pass.bytes * (nowMs - pass.sinceMs + AGE_MS_MIN);
    if (weight <= most) continue;
    heaviest = pass;
    most = weight;
  }
  return heaviest;
}
