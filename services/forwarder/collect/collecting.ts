// What this process reads of its machine: the files that it is to follow, those that `sluice import` asks for, and the
// journal. The input of files is loaded when there is the first of them: it has the checkpoints of all.

import type { Clock } from '#shared/clock.ts';
import type { Checkpoints } from './checkpoints/checkpoints.ts';
import type { FilesInput, FilesInputOptions } from './files-input.ts';
import type { ImportServer } from './imports/import-server.ts';
import type { JournalInput, JournalInputOptions } from './journal-input.ts';

export interface CollectingOptions extends FilesInputOptions {
  readonly clock: Clock;
  /** Null: the journal is not read. */
  readonly journal: Omit<JournalInputOptions, 'checkpoints'> | null;
  /** Told where imports cannot be taken. */
  readonly importsFailed: (reason: unknown) => void;
}

export class Collecting {
  readonly #options: CollectingOptions;
  #files: Promise<FilesInput> | null = null;
  #input: FilesInput | null = null;
  #imports: ImportServer | null = null;
  #journal: JournalInput | null = null;
  #isClosed = false;

  private constructor(options: CollectingOptions) {
    this.#options = options;
  }

  static async open(options: CollectingOptions): Promise<Collecting> {
    const collecting = new Collecting(options);
    if (collecting.#collects) await collecting.#openFiles();
    if (options.journal !== null) await collecting.#openJournal(options.journal);
    try {
      const { ImportServer } = await import('./imports/import-server.ts');
      collecting.#imports = await ImportServer.open({
        ...options,
        import: async (request, watch) => (await collecting.#openFiles()).import(request, watch),
      });
    } catch (error) {
      options.importsFailed(error);
    }
    return collecting;
  }

  /** Why nothing is collected; null while all is well. */
  get unreadyReason(): string | null {
    return this.#collects ? (this.#input?.unreadyReason ?? null) : null;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const imports = this.#imports?.close();
    try {
      // It saves its place in the checkpoints, which end with the input of files.
      await this.#journal?.close();
    } finally {
      await this.#closeFiles();
    }
    await imports;
  }

  async #closeFiles(): Promise<void> {
    try {
      const input = await this.#files;
      await input?.close();
    } catch (error) {
      // Who asked for an import has heard of it.
      if (this.#collects) throw error;
    }
  }

  get #collects(): boolean {
    return this.#options.rules.length > 0 || this.#options.journal !== null;
  }

  async #openJournal(options: Omit<JournalInputOptions, 'checkpoints'>): Promise<void> {
    const { JournalInput } = await import('./journal-input.ts');
    const checkpoints = async (): Promise<Checkpoints> => (await this.#openFiles()).checkpoints;
    this.#journal = new JournalInput({ ...options, checkpoints });
  }

  #openFiles(): Promise<FilesInput> {
    this.#files ??= (async () => {
      const { FilesInput } = await import('./files-input.ts');
      if (this.#isClosed) throw new Error('the forwarder ends');
      this.#input = new FilesInput(this.#options);
      return this.#input;
    })();
    return this.#files;
  }
}
