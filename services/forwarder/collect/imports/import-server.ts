// Takes the requests of `sluice import` while this process has the data folder. A request ends with its connection.
//
// Guarantees: only this user may connect, as the folder is this user's alone; what is asked for is bounded.

import { chmodSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import type { Clock } from '#shared/clock.ts';
import { SluiceError, reasonOf } from '#shared/errors.ts';
import { listenOn } from '#shared/net/listen-address.ts';
import { makeFolder } from '#shared/sqlite/database.ts';
import type { ImportedFile, ImportRequest, ImportWatch } from './file-imports.ts';
import { type ImportAnswer, importSocket, parseImportRequest } from './import-protocol.ts';

const PROGRESS_MS = 250;
const FILES_OFTEN = 500;
const REQUEST_BYTES_MAX = 16 * 1024 * 1024;

export interface ImportServerOptions {
  readonly dataDir: string;
  readonly clock: Clock;
  readonly import: (request: ImportRequest, watch: ImportWatch) => Promise<readonly ImportedFile[]>;
}

export class ImportServer {
  readonly #options: ImportServerOptions;
  readonly #server: Server;
  readonly #closing = new AbortController();
  readonly #answering = new Set<Promise<void>>();

  private constructor(options: ImportServerOptions) {
    this.#options = options;
    this.#server = createServer((socket) => {
      const answering = this.#answer(socket).finally(() => this.#answering.delete(answering));
      this.#answering.add(answering);
    });
  }

  /** Rejects where the socket cannot be made: then files are imported while no Sluice has the folder. */
  static async open(options: ImportServerOptions): Promise<ImportServer> {
    const server = new ImportServer(options);
    const path = importSocket(options.dataDir);
    makeFolder(dirname(path));
    await listenOn(server.#server, { kind: 'unix', path });
    chmodSync(path, 0o600);
    // It keeps no process alive.
    server.#server.unref();
    return server;
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#closing.abort(new SluiceError('shutting_down', 'Cannot import: Sluice ends'));
    await Promise.all(this.#answering);
  }

  async #answer(socket: Socket): Promise<void> {
    const gone = new AbortController();
    socket.on('error', () => gone.abort());
    socket.on('close', () => gone.abort());
    const say = (answer: ImportAnswer): void => void socket.write(`${JSON.stringify(answer)}\n`);
    try {
      const signal = AbortSignal.any([gone.signal, this.#closing.signal]);
      const request = parseImportRequest(await firstLine(socket, signal));
      // Its end is seen only by who reads.
      socket.resume();
      if (request === null) throw new SluiceError('request_malformed', 'Cannot import: the request is malformed');
      const { clock } = this.#options;
      let saidMs = Number.NEGATIVE_INFINITY;
      const progress = (files: readonly ImportedFile[]): void => {
        const nowMs = clock.monotonicMs();
        // Of many files it takes long to say.
        const pauseMs = PROGRESS_MS * Math.max(1, files.length / FILES_OFTEN);
        if (nowMs - saidMs < pauseMs || socket.writableNeedDrain) return;
        saidMs = nowMs;
        say({ progress: files });
      };
      say({ files: await this.#options.import(request, { signal, progress }) });
    } catch (error) {
      // Who asks again finds the next process, or none.
      if (!this.#closing.signal.aborted) say({ error: reasonOf(error) });
    }
    socket.end();
  }
}

/** Who connects and says nothing delays no end: the signal ends the waiting. */
async function firstLine(socket: Socket, signal: AbortSignal): Promise<string> {
  let bytes = 0;
  socket.on('data', (piece: Buffer) => {
    bytes += piece.length;
    if (bytes > REQUEST_BYTES_MAX) socket.destroy();
  });
  for await (const line of createInterface({ input: socket, signal })) return line;
  return '';
}
