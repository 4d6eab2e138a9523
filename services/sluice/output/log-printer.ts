// Prints documents as `docker logs` prints lines: what a container wrote to standard error goes to standard error; as soon as
// a second container (service, tag) turns up, each line begins with the name, as in `docker compose logs`.

import type { StoredDocument } from '#shared/store/store.ts';
import { detailsText, fullTimestampText, isStderr, messageText, originName } from './document-text.ts';
import { harmless } from '#shared/harmless.ts';
import type { Output, OutputStream } from './output.ts';

export interface LogPrinterOptions {
  /** One document a line, as JSON, all to standard output. */
  readonly json: boolean;
  readonly timestamps: boolean;
  readonly details: boolean;
}

/** Cyan, yellow, green, magenta, blue: as docker compose, without red, which people take for an error. */
const COLOURS = [36, 33, 32, 35, 34];

export class LogPrinter {
  readonly #output: Output;
  readonly #options: LogPrinterOptions;
  /** Name → its place in order of appearance. */
  readonly #names = new Map<string, number>();
  #width = 0;

  constructor(output: Output, options: LogPrinterOptions) {
    this.#output = output;
    this.#options = options;
  }

  /** Prints documents in the order given. */
  async print(documents: readonly StoredDocument[]): Promise<void> {
    if (!this.#options.json) for (const document of documents) this.#meet(originName(document));
    let text = '';
    let stream = this.#output.stdout;
    for (const document of documents) {
      const next = isStderr(document) && !this.#options.json ? this.#output.stderr : this.#output.stdout;
      if (next !== stream) {
        await this.#output.write(text, stream);
        text = '';
        stream = next;
      }
      text += this.#options.json ? jsonLine(document, stream) : this.#lines(document, stream);
    }
    await this.#output.write(text, stream);
  }

  #meet(name: string): void {
    if (this.#names.has(name)) return;
    this.#names.set(name, this.#names.size);
    this.#width = Math.max(this.#width, name.length);
  }

  #lines(document: StoredDocument, stream: OutputStream): string {
    const { timestamps, details } = this.#options;
    let head = timestamps ? `${fullTimestampText(document)} ` : '';
    if (details) head += `${detailsText(document)} `;
    const text = head + messageText(document);
    const prefix = this.#prefix(originName(document), stream);
    const lines = stream.isTTY === true ? harmless(text) : text;
    return prefix === '' ? `${lines}\n` : `${prefix}${lines.replaceAll('\n', `\n${prefix}`)}\n`;
  }

  #prefix(name: string, stream: OutputStream): string {
    if (this.#names.size < 2) return '';
    const prefix = `${name.padEnd(this.#width)} | `;
    if (stream.isTTY !== true) return prefix;
    const colour = COLOURS[(this.#names.get(name) ?? 0) % COLOURS.length] ?? 0;
    return `\u001b[${colour}m${harmless(prefix)}\u001b[0m`;
  }
}

/** The document's fields as stored, and nothing else. */
export function jsonLine(document: StoredDocument, stream: OutputStream): string {
  const json = JSON.stringify(document.source);
  return `${stream.isTTY === true ? harmless(json) : json}\n`;
}
