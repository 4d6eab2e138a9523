// What this process reads of its machine: the files that it is to follow, and those that `sluice import` asks for. The
// input of files is loaded when there is the first of either.

import type { Clock } from '#shared/clock.ts';
import type { FilesInput, FilesInputOptions } from './files-input.ts';
import type { ImportServer } from './imports/import-server.ts';

export interface CollectingOptions extends FilesInputOptions {
  readonly clock: Clock;
  /** Told where imports cannot be taken. */
  readonly importsFailed: (reason: unknown) => void;
}

export class Collecting {
  readonly #options: CollectingOptions;
  #files: Promise<FilesInput> | null = null;
  #input: FilesInput | null = null;
  #imports: ImportServer | null = null;
  #isClosed = false;

  private constructor(options: CollectingOptions) {
    this.#options = options;
  }

  static async open(options: CollectingOptions): Promise<Collecting> {
    const collecting = new Collecting(options);
    if (options.rules.length > 0) await collecting.#openFiles();
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
    return this.#options.rules.length > 0 ? (this.#input?.unreadyReason ?? null) : null;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const imports = this.#imports?.close();
    try {
      const input = await this.#files;
      await input?.close();
    } catch (error) {
      // Who asked for an import has heard of it.
      if (this.#options.rules.length > 0) throw error;
    }
    await imports;
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
