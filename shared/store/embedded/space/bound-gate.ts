// Lets bulk requests through to a store that is near its bound, or beyond it: none while what the ones before have
// added is not given back, and side by side only as many as have room.
//
// Guarantees: in the order in which they came; where nothing more can be deleted, one goes after another, so that a
// bound that cannot be kept stops nothing. What a store had too much before, such as with a larger bound, is no reason
// to wait: deletion is ahead of what comes, so it goes all the same.

/** Of its bound, by how much the store may be larger before requests wait. */
const OVER_SHARE = 1 / 32;

interface Waiting {
  readonly bytes: number;
  go(): void;
}

export class BoundGate {
  readonly #allowedBytes: number;
  readonly #waiting: Waiting[] = [];
  /** Of requests that went and were not answered. */
  #requests = 0;
  #bytes = 0;
  /** By how much the store was larger than its bound when it last told; below zero: smaller. */
  #overBytes = 0;
  /** What requests have added, as JSON, and deletions not given back yet, while the store was too large. */
  #addedBytes = 0;
  #isDeleting = false;
  #isOpen: boolean;

  /** `bytesMax`: undefined where nothing is deleted for it. */
  constructor(bytesMax: number | undefined) {
    this.#allowedBytes = (bytesMax ?? 0) * OVER_SHARE;
    this.#isOpen = bytesMax === undefined;
  }

  /** Null: it goes at once. `left` has to follow, when it is answered. */
  enter(bytes: number): Promise<void> | null {
    if (this.#waiting.length === 0 && this.#mayGo(bytes)) {
      this.#go(bytes);
      return null;
    }
    return new Promise((resolve) => this.#waiting.push({ bytes, go: resolve }));
  }

  left(bytes: number): void {
    this.#requests -= 1;
    this.#bytes -= bytes;
    this.#admit();
  }

  /** What a request has added. */
  wrote(bytes: number, overBytes: number): void {
    this.#addedBytes += bytes;
    this.#know(overBytes);
  }

  /** A step of deletion. */
  gaveBack(bytes: number, overBytes: number): void {
    this.#addedBytes = Math.max(0, this.#addedBytes - bytes);
    this.#know(overBytes);
    this.#admit();
  }

  /** Whether steps of deletion follow. */
  deleting(isDeleting: boolean): void {
    this.#isDeleting = isDeleting;
    if (!isDeleting) this.#addedBytes = 0;
    this.#admit();
  }

  /** Nothing is deleted any more. */
  open(): void {
    this.#isOpen = true;
    this.#admit();
  }

  #know(overBytes: number): void {
    this.#overBytes = overBytes;
    if (overBytes <= this.#allowedBytes) this.#addedBytes = 0;
  }

  #mayGo(bytes: number): boolean {
    if (this.#isOpen) return true;
    if (this.#requests > 0) return this.#overBytes + this.#bytes + bytes <= this.#allowedBytes;
    return !this.#isDeleting || this.#overBytes <= this.#allowedBytes || this.#addedBytes === 0;
  }

  #go(bytes: number): void {
    this.#requests += 1;
    this.#bytes += bytes;
  }

  #admit(): void {
    for (let first = this.#waiting[0]; first !== undefined && this.#mayGo(first.bytes); first = this.#waiting[0]) {
      this.#waiting.shift();
      this.#go(first.bytes);
      first.go();
    }
  }
}
