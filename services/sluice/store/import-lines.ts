// Lines of an export → the store, in bulk requests, under the names that the documents have.
//
// Guarantees: what is refused is told with its line, and costs itself only; a request is on the disk before the next
// one; none is begun that the store has no room for; bounded memory.

import type { BulkItem, Store } from '#shared/store/store.ts';
import { documentOf } from './document-line.ts';
import { linesOf } from './line-splitter.ts';

export interface Imported {
  documents: number;
  /** Already there. */
  known: number;
  refused: number;
}

export interface Importing {
  readonly store: Pick<Store, 'bulk'>;
  readonly sums: Imported;
  readonly refused: (line: number, why: string) => void;
  /** Rejects where documents of so many bytes do not fit. */
  readonly makeSure: (bytes: number) => Promise<void>;
  readonly signal: AbortSignal;
}

const DOCUMENTS_MAX = 1000;
const BYTES_MAX = 4 * 1024 * 1024;
/** As long as a text of JavaScript can be, with something to spare. */
const LINE_BYTES_MAX = 256 * 1024 * 1024;

/** Rejects with the store's errors, and with those of the pieces. Ends early where the signal is aborted. */
export async function importLines(pieces: AsyncIterable<Uint8Array>, importing: Importing): Promise<void> {
  let batch = new Batch();
  for await (const { number, bytes } of linesOf(pieces, LINE_BYTES_MAX)) {
    if (importing.signal.aborted) return;
    if (bytes?.length === 0) continue;
    const document = bytes === null ? 'it is too long' : documentOf(bytes.toString());
    if (typeof document === 'string') refuse(importing, number, document);
    else batch.add(number, document);
    if (batch.isFull) {
      await batch.write(importing);
      batch = new Batch();
    }
  }
  await batch.write(importing);
}

function refuse({ sums, refused }: Importing, line: number, why: string): void {
  sums.refused += 1;
  refused(line, why);
}

class Batch {
  readonly #items: BulkItem[] = [];
  readonly #lines: number[] = [];
  readonly #documents: Buffer[] = [];
  #bytes = 0;

  get isFull(): boolean {
    return this.#items.length >= DOCUMENTS_MAX || this.#bytes >= BYTES_MAX;
  }

  add(line: number, { id, stream, source }: { readonly id: string; readonly stream: string; readonly source: string }) {
    const document = Buffer.from(source);
    const docStart = this.#bytes;
    this.#bytes += document.length;
    this.#items.push({ index: stream, id, actionStart: docStart, docStart, docEnd: this.#bytes });
    this.#lines.push(line);
    this.#documents.push(document);
  }

  async write(importing: Importing): Promise<void> {
    if (this.#items.length === 0) return;
    const { store, sums } = importing;
    await importing.makeSure(this.#bytes);
    const outcomes = await store.bulk({ body: Buffer.concat(this.#documents), items: this.#items });
    for (const [i, { status, errorReason }] of outcomes.entries()) {
      if (status === 201) sums.documents += 1;
      else if (status === 409) sums.known += 1;
      else refuse(importing, this.#lines[i] ?? 0, errorReason ?? String(status));
    }
  }
}
