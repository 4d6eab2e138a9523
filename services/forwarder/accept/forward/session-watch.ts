// Whether a connection takes longer than it may: to bring a frame whole, to read its answers, to say anything at all.
// It is checked every second or so, and sees progress by numbers that the connection has anyway, so that reading
// pays nothing for it.

export interface WatchLimits {
  readonly frameTimeoutMs: number;
  /** 0: for ever. */
  readonly idleTimeoutMs: number;
}

export interface Progress {
  readonly bytesRead: number;
  readonly framesRead: number;
  /** Whether a part of a frame is held. */
  readonly isInFrame: boolean;
  /** Bytes of answers that the peer has not taken yet, and those that it has. */
  readonly answersWaiting: number;
  readonly answersTaken: number;
  /** Waits for us, so that nothing is the peer's fault. */
  readonly isWaiting: boolean;
}

export type Overdue = 'frame_timeout' | 'answers_unread' | 'idle_timeout';

export class SessionWatch {
  readonly #limits: WatchLimits;
  #bytesRead = 0;
  #framesRead = 0;
  #answersTaken = 0;
  #heardMs: number;
  #frameMs: number;
  #answersMs: number;

  constructor(limits: WatchLimits, nowMs: number) {
    this.#limits = limits;
    this.#heardMs = this.#frameMs = this.#answersMs = nowMs;
  }

  /** Which limit the connection has passed; null for none. */
  overdue(progress: Progress, nowMs: number): Overdue | null {
    const { isWaiting } = progress;
    if (progress.bytesRead !== this.#bytesRead || isWaiting) this.#heardMs = nowMs;
    if (progress.framesRead !== this.#framesRead || !progress.isInFrame || isWaiting) this.#frameMs = nowMs;
    if (progress.answersTaken !== this.#answersTaken || progress.answersWaiting === 0) this.#answersMs = nowMs;
    this.#bytesRead = progress.bytesRead;
    this.#framesRead = progress.framesRead;
    this.#answersTaken = progress.answersTaken;
    const { frameTimeoutMs, idleTimeoutMs } = this.#limits;
    if (nowMs - this.#answersMs >= frameTimeoutMs) return 'answers_unread';
    if (nowMs - this.#frameMs >= frameTimeoutMs) return 'frame_timeout';
    return idleTimeoutMs > 0 && nowMs - this.#heardMs >= idleTimeoutMs ? 'idle_timeout' : null;
  }
}
