// Prints what was found with the lines round it, a line of `--` between two groups, as grep does.

import type { StoredDocument } from '#shared/store/store.ts';
import type { Output } from '../output/output.ts';
import { ContextLines, type ContextOptions } from './context-lines.ts';

const BETWEEN = '--\n';

export interface DocumentPrinter {
  /** `isAside`: stands beside what was asked for. */
  print(documents: readonly StoredDocument[], isAside?: (document: StoredDocument) => boolean): Promise<void>;
}

export interface GroupPrinterOptions extends ContextOptions {
  readonly output: Output;
  readonly printer: DocumentPrinter;
  /** Whether lines of JSON are written, and so nothing else. */
  readonly isJson: boolean;
}

export class GroupPrinter {
  readonly #options: GroupPrinterOptions;
  readonly #lines: ContextLines;
  #isFirst = true;

  constructor(options: GroupPrinterOptions) {
    this.#options = options;
    this.#lines = new ContextLines(options);
  }

  /** Further documents that were found, in the order in which they came. */
  async print(found: readonly StoredDocument[]): Promise<void> {
    const { output, printer, isJson } = this.#options;
    const ids = new Set(found.map(({ id }) => id));
    for await (const { documents, goesOn } of this.#lines.groups(found)) {
      if (output.closed) return;
      if (!this.#isFirst && !goesOn && !isJson) await output.write(BETWEEN);
      this.#isFirst = false;
      await printer.print(documents, ({ id }) => !ids.has(id));
    }
  }
}
