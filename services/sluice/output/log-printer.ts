// Prints documents as `docker logs` prints lines: what a container wrote to standard error goes to standard error; as
// soon as a second container (service, tag) turns up, each line begins with the name, as in `docker compose logs`.
//
// Anyone who can log chooses the name, its length, and the number of lines of a message. So names are truncated and
// lines are written in pieces: no document makes a text much larger than itself.

import type { StoredDocument } from '#shared/store/store.ts';
import {
  detailsText, fullTimestampText, isStderr, messageText, originName, printedLines, withoutReturns,
} from './document-text.ts'; // prettier-ignore
import { harmless } from '#shared/harmless.ts';
import type { Output, OutputStream } from './output.ts';
import { peopleText, type PeopleViewOptions } from './people-view.ts';
import { type Style, styled, styledLines } from '../terminal/style.ts';

export interface LogPrinterOptions {
  /** One document a line, as JSON, all to standard output. */
  readonly json: boolean;
  readonly timestamps: boolean;
  readonly details: boolean;
  /** For terminals: lines as people read them. Null: as they were written, there too. */
  readonly people: PeopleViewOptions | null;
}

/** As docker compose, without red, which people take for an error. */
const COLOURS: readonly Style[] = ['cyan', 'yellow', 'green', 'magenta', 'blue'];
/** Of a name, in characters: more than what Kubernetes makes into tags. */
const NAME_MAX = 256;
/** Messages stand below each other up to this width; longer names push theirs to the right. */
const WIDTH_MAX = 64;
/** Names beyond this many share a colour. */
const NAMES_MAX = 10_000;
/** Characters of a message that get their prefixes at once; so many are written at once, too. */
const PIECE_CHARS = 64 * 1024;
/** Longer details stand before the first line of a stack trace only. */
const DETAILS_REPEATED_MAX = 1024;

interface Shown {
  readonly stream: OutputStream;
  readonly isAside: boolean;
}

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

  /** Prints documents in the order given. At a terminal those that are `isAside` are faint. */
  async print(documents: readonly StoredDocument[], isAside?: (document: StoredDocument) => boolean): Promise<void> {
    if (!this.#options.json) for (const document of documents) this.#meet(shortName(document));
    let text = '';
    let stream = this.#output.stdout;
    for (const document of documents) {
      const next = isStderr(document) && !this.#options.json ? this.#output.stderr : this.#output.stdout;
      if (next !== stream) {
        await this.#output.write(text, stream);
        text = '';
        stream = next;
      }
      for (const piece of this.#options.json
        ? [jsonLine(document, stream)]
        : this.#lines(document, stream, isAside?.(document))) {
        text += piece;
        if (text.length < PIECE_CHARS) continue;
        await this.#output.write(text, stream);
        text = '';
      }
    }
    await this.#output.write(text, stream);
  }

  #meet(name: string): void {
    if (this.#names.has(name) || this.#names.size === NAMES_MAX) return;
    this.#names.set(name, this.#names.size);
    this.#width = Math.max(this.#width, Math.min(name.length, WIDTH_MAX));
  }

  *#lines(document: StoredDocument, stream: OutputStream, isAside = false): Generator<string> {
    const prefix = this.#prefix(shortName(document), stream);
    const lines = this.#text(document, { stream, isAside });
    yield prefix;
    for (let from = 0; from < lines.length;) {
      // Cut before a line end, so that no character is cut in two.
      const end = lines.indexOf('\n', from + PIECE_CHARS);
      const piece = lines.slice(from, end === -1 ? undefined : end);
      yield prefix === '' ? piece : piece.replaceAll('\n', `\n${prefix}`);
      from += piece.length;
    }
    yield '\n';
  }

  #text(document: StoredDocument, { stream, isAside }: Shown): string {
    if (stream.isTTY !== true) return this.#headed(document);
    const { people } = this.#options;
    if (people === null) return harmless(withoutReturns(this.#headed(document)));
    const head = this.#head(document, 0, this.#options.details ? `${detailsText(document)} ` : '');
    if (!isAside || !people.hasColours) return harmless(head) + peopleText(document, people);
    return styledLines(harmless(head) + peopleText(document, { ...people, hasColours: false }), 'dim');
  }

  /** The message, with the time and the details before each line that was printed. */
  #headed(document: StoredDocument): string {
    const { timestamps, details } = this.#options;
    if (!timestamps && !details) return messageText(document);
    const said = details ? `${detailsText(document)} ` : '';
    const repeated = said.length > DETAILS_REPEATED_MAX ? '' : said;
    return printedLines(document)
      .map(({ text, offsetNs }, n) => this.#head(document, offsetNs, n === 0 ? said : repeated) + text)
      .join('\n');
  }

  #head(document: StoredDocument, offsetNs: number, details: string): string {
    return this.#options.timestamps ? `${fullTimestampText(document, offsetNs)} ${details}` : details;
  }

  #prefix(name: string, stream: OutputStream): string {
    if (this.#names.size < 2) return '';
    const prefix = `${name.padEnd(this.#width)} | `;
    if (stream.isTTY !== true) return prefix;
    const colour = COLOURS[(this.#names.get(name) ?? 0) % COLOURS.length] ?? 'cyan';
    return this.#options.people?.hasColours === false ? harmless(prefix) : styled(harmless(prefix), colour);
  }
}

function shortName(document: StoredDocument): string {
  const name = originName(document);
  return name.length > NAME_MAX ? `${name.slice(0, NAME_MAX - 1)}…` : name;
}

/** The document's fields as stored, and nothing else. */
export function jsonLine(document: StoredDocument, stream: OutputStream): string {
  const json = JSON.stringify(document.source);
  return `${stream.isTTY === true ? harmless(json) : json}\n`;
}
