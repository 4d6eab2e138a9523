// Prints documents that a search found, one a line or several: when, of what, and what it said.

import { harmless } from '#shared/harmless.ts';
import type { StoredDocument } from '#shared/store/store.ts';
import { messageText, originName, timestampText } from '../output/document-text.ts';
import { jsonLine } from '../output/log-printer.ts';
import type { Output } from '../output/output.ts';
import { peopleText, type PeopleViewOptions } from '../output/people-view.ts';
import { styled, styledLines } from '../terminal/style.ts';
import type { DocumentPrinter } from './print-groups.ts';

export interface ResultPrinterOptions {
  readonly json: boolean;
  /** For terminals; null: as they were written, there too. */
  readonly people: PeopleViewOptions | null;
}

export class ResultPrinter implements DocumentPrinter {
  readonly #output: Output;
  readonly #options: ResultPrinterOptions;

  constructor(output: Output, options: ResultPrinterOptions) {
    this.#output = output;
    this.#options = options;
  }

  async print(documents: readonly StoredDocument[], isAside?: (document: StoredDocument) => boolean): Promise<void> {
    const { stdout } = this.#output;
    const lines = documents.map((document) =>
      this.#options.json ? jsonLine(document, stdout) : `${this.#line(document, isAside?.(document) ?? false)}\n`,
    );
    await this.#output.write(lines.join(''));
  }

  #line(document: StoredDocument, isAside: boolean): string {
    const { people } = this.#options;
    const head = `${timestampText(document)} ${originName(document)}`;
    if (this.#output.stdout.isTTY !== true) return `${head} | ${messageText(document)}`;
    if (people === null) return harmless(`${head} | ${messageText(document)}`);
    const safe = harmless(head);
    if (isAside && people.hasColours)
      return styledLines(`${safe} | ${peopleText(document, { ...people, hasColours: false })}`, 'dim');
    return `${people.hasColours ? styled(safe, 'cyan') : safe} | ${peopleText(document, people)}`;
  }
}
