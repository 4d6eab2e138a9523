// Why an embedded queue takes nothing now, as far as is known: its thread has died, its file is gone, nothing could be
// written, or it is full. The operator is warned when one of these begins.

import { reasonOf } from '#shared/errors.ts';

export class QueueHealth {
  /** What the queue is called in messages. */
  readonly name: string;
  readonly #log: { warn(message: string): void };
  #refused: { readonly reason: string; readonly bytes: number } | null = null;
  /** Why nothing could be written, until something could. */
  #failed: string | null = null;
  /** Its file is gone. */
  #fileGone: string | null = null;
  #dead: string | null = null;

  constructor(name: string, log: { warn(message: string): void }) {
    this.name = name;
    this.#log = log;
  }

  unreadyReason(isClosed: boolean): string | null {
    if (this.#dead !== null) return this.#dead;
    if (isClosed) return 'the queue is closed';
    if (this.#fileGone !== null) return `${this.name} holds nothing: ${this.#fileGone}`;
    if (this.#failed !== null) return this.#failed;
    return this.#refused === null ? null : `${this.name} is full: ${this.#refused.reason}`;
  }

  get isDead(): boolean {
    return this.#dead !== null;
  }

  get isFileGone(): boolean {
    return this.#fileGone !== null;
  }

  get hasFailed(): boolean {
    return this.#failed !== null;
  }

  /** Bytes of the append that was refused last; null where none was since one was taken. */
  get refusedBytes(): number | null {
    return this.#refused?.bytes ?? null;
  }

  /** A transaction was written; `refused`: why its records were not, which had so many bytes. */
  written(refused: string | null, bytes: number): void {
    this.#failed = null;
    if (refused !== null) this.refuse(refused, bytes);
    else if (bytes > 0) this.#refused = null;
  }

  refuse(reason: string, bytes: number): void {
    if (this.#refused === null) this.warn(`Cannot append to ${this.name}: ${reason}`);
    this.#refused = { reason, bytes };
  }

  /** So many bytes, which were refused, would be taken now. */
  accepts(bytes: number): void {
    if (this.#refused?.bytes === bytes) this.#refused = null;
  }

  /** Nothing can be written; null: something can again. */
  failed(reason: string | null): void {
    this.#failed = reason;
  }

  fileGone(reason: string | null): void {
    this.#fileGone = reason;
    if (reason !== null) this.warn(`Cannot hold anything in ${this.name}: ${reason}`);
  }

  /** The thread is gone: nothing can be written or read any more. Returns that as a sentence. */
  died(error: Error): string {
    this.#dead = `${this.name} has failed: ${reasonOf(error)}`;
    return this.#dead;
  }

  warn(message: string): void {
    this.#log.warn(message);
  }
}
