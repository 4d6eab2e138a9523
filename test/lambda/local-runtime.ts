// Lambda's side of the Runtime API on 127.0.0.1: starts a function from its bundle and gives it one event at a time, as
// the service does.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

export const INDEXER = join(import.meta.dirname, '../../dist/lambda-indexer.mjs');
export const FORWARDER = join(import.meta.dirname, '../../dist/lambda-forwarder.mjs');

export type Invoked = { readonly answer: unknown } | { readonly error: { readonly errorMessage: string } };

interface Invocation {
  readonly event: unknown;
  readonly timeoutMs: number;
  readonly settled: PromiseWithResolvers<Invoked>;
}

export class LocalRuntime implements AsyncDisposable {
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  readonly #bundle: string;
  #child: ChildProcess | null = null;
  #waiting: Invocation[] = [];
  #asking: (() => void) | null = null;
  readonly #running = new Map<string, Invocation>();
  #count = 0;
  #failedToStart: unknown = null;
  /** What the function printed. */
  stdout = '';
  stderr = '';

  constructor(bundle = INDEXER) {
    this.#bundle = bundle;
  }

  /** Starts a new instance of the function. */
  async start(environment: Readonly<Record<string, string>>): Promise<this> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    const address = this.#server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('SLUICE_'));
    this.#child = spawn(process.execPath, [join(import.meta.dirname, 'bootstrap.ts'), this.#bundle], {
      env: {
        ...Object.fromEntries(inherited),
        NODE_TEST_CONTEXT: undefined,
        AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}`,
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (piece: string) => (this.stdout += piece));
    this.#child.stderr?.setEncoding('utf8').on('data', (piece: string) => (this.stderr += piece));
    this.#child.on('exit', () => this.#end(new Error(`the function ended: ${this.stderr}`)));
    return this;
  }

  /** Resolves to what the function answered; rejects if it ends instead. */
  invoke(event: unknown, timeoutMs = 30_000): Promise<Invoked> {
    const settled = Promise.withResolvers<Invoked>();
    this.#waiting.push({ event, timeoutMs, settled });
    if (this.#failedToStart !== null) this.#end(this.#failedToStart);
    this.#asking?.();
    return settled.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#child;
    if (child && child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    }
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').replace('/2018-06-01/runtime/', '');
    if (path === 'invocation/next') {
      this.#asking = () => this.#give(response);
      this.#asking();
      return;
    }
    const body: unknown = JSON.parse(await text(request));
    response.writeHead(202).end();
    if (path === 'init/error') this.#end(body);
    const [, id = '', outcome] = path.split('/');
    const invocation = this.#running.get(id);
    this.#running.delete(id);
    if (outcome === 'response') invocation?.settled.resolve({ answer: body });
    else invocation?.settled.resolve({ error: body as { errorMessage: string } });
  }

  #give(response: ServerResponse): void {
    const invocation = this.#waiting.shift();
    if (!invocation) return;
    this.#asking = null;
    const id = String(++this.#count);
    this.#running.set(id, invocation);
    response.writeHead(200, {
      'content-type': 'application/json',
      'lambda-runtime-aws-request-id': id,
      'lambda-runtime-deadline-ms': String(Date.now() + invocation.timeoutMs),
    });
    response.end(JSON.stringify(invocation.event));
  }

  #end(error: unknown): void {
    this.#failedToStart = error;
    const failure = error instanceof Error ? error : new Error(JSON.stringify(error));
    for (const { settled } of [...this.#waiting.splice(0), ...this.#running.values()]) settled.reject(failure);
    this.#running.clear();
  }
}
