// SQLite calls block, so every database lives in a worker thread and is spoken to by requests and answers.
// `startWorker` starts the thread from the main side; `serveWorker` is the thread's own side. Requests are done in
// order.
//
// From the sources a worker is a module beside the one that starts it. What users run is one bundled file, which
// carries each worker as a small bundle of its own (infra/build/bundle.ts): a thread that loaded the whole program took
// 25 MB more.
//
// Guarantees: each call is answered or rejected, also when the thread dies; errors keep their SluiceError code;
// what is listed for transfer is moved, not copied, and is empty afterwards on the side that sent it.

import assert from 'node:assert/strict';
import { parentPort, type Transferable, Worker, workerData } from 'node:worker_threads';
import { boundBufferGarbage } from '../memory/buffer-garbage.ts';
import { type ErrorCode, errorTable, reasonOf, SluiceError } from '../errors.ts';

/** What a worker can be asked: name → function of one argument. Both sides share the type. */
export type Methods<M> = { [K in keyof M]: (argument: never) => unknown };

/** An answer together with what is moved rather than copied. */
export interface Moved<T> {
  readonly value: T;
  readonly transfer: readonly Transferable[];
}

/** What a call resolves to. */
export type Result<T> = T extends Moved<infer V> ? V : T;

interface Request {
  readonly id: number;
  readonly method: string;
  readonly argument: unknown;
}

type Reply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly failure: Failure }
  | { readonly notice: unknown };

interface Failure {
  readonly code: ErrorCode | null;
  readonly message: string;
}

/** Name of a worker → its bundled code; put there by the build. */
declare const BUNDLED_WORKERS: Readonly<Record<string, string>> | undefined;

export interface StartOptions {
  /** Told of what the thread says unasked (`notify`). */
  readonly onNotice?: (notice: unknown) => void;
  /** Told once if the thread ends although nobody closed it. Calls then reject with the same error. */
  readonly onDeath?: (error: Error) => void;
  /** Of the thread's heap, in MiB: beyond it the thread ends. */
  readonly heapMbMax?: number;
}

/**
 * Starts the worker `name`, whose module is `<name>.ts` beside the module `moduleUrl` (give `import.meta.url`).
 * Resolves when the worker's `open` has returned; rejects with its error. `data` is copied to the thread.
 */
export async function startWorker<M extends Methods<M>>(
  name: string,
  moduleUrl: string,
  data: unknown,
  options: StartOptions = {},
): Promise<WorkerThread<M>> {
  const { heapMbMax } = options;
  const limits = heapMbMax === undefined ? {} : { resourceLimits: { maxOldGenerationSizeMb: heapMbMax } };
  const worker = new Worker(codeOf(name, moduleUrl), { name, workerData: data, ...limits });
  const thread = new WorkerThread<M>(worker, options);
  try {
    await thread.started();
  } catch (error) {
    await thread[Symbol.asyncDispose]();
    throw error;
  }
  return thread;
}

function codeOf(name: string, moduleUrl: string): URL {
  if (typeof BUNDLED_WORKERS === 'undefined') return new URL(`./${name}.ts`, moduleUrl);
  const code = BUNDLED_WORKERS[name];
  assert(code, `the build carries the worker ${name}`);
  return new URL(`data:text/javascript;base64,${Buffer.from(code).toString('base64')}`);
}

/** The main side of a worker. */
export class WorkerThread<M extends Methods<M>> implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #options: StartOptions;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #lastId = 0;
  #ended: Error | null = null;
  #closing = false;

  constructor(worker: Worker, options: StartOptions) {
    this.#worker = worker;
    this.#options = options;
    worker.on('message', (reply: Reply) => this.#receive(reply));
    worker.on('error', (error: unknown) => this.#end(error instanceof Error ? error : new Error(reasonOf(error))));
    worker.on('exit', (code) => this.#end(new Error(`the worker ended with code ${code}`)));
  }

  /** Resolves when the thread has opened what it serves. */
  async started(): Promise<void> {
    await this.#ask(OPEN, undefined, []);
  }

  /** Asks the worker; `transfer` lists the ArrayBuffers inside `argument` that are moved to it. */
  call<K extends keyof M & string>(
    method: K,
    argument: Parameters<M[K]>[0],
    transfer: readonly Transferable[] = [],
  ): Promise<Result<Awaited<ReturnType<M[K]>>>> {
    return this.#ask(method, argument, transfer) as Promise<Result<Awaited<ReturnType<M[K]>>>>;
  }

  /** Whether the thread is gone, for whatever reason. */
  get isEnded(): boolean {
    return this.#ended !== null;
  }

  /**
   * What of the processor's time the thread has used, in milliseconds; 0 when it is gone. Answered also while the
   * thread is busy.
   */
  async cpuMs(): Promise<number> {
    if (this.#ended !== null) return 0;
    // Node's own promise may stay open where the thread dies before it answers.
    const id = ++this.#lastId;
    const answer = this.#expect(id);
    this.#worker.cpuUsage().then(answer.resolve, answer.reject);
    try {
      const { user, system } = (await answer.promise) as NodeJS.CpuUsage;
      return (user + system) / 1000;
    } catch {
      return 0;
    } finally {
      this.#waiting.delete(id);
    }
  }

  /** Ends the thread in whatever it does; calls then reject. */
  async kill(): Promise<void> {
    await this.#worker.terminate();
  }

  /** Lets the worker finish what it was asked before, close what it holds, and end. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    if (this.#ended === null) await this.#ask(CLOSE, undefined, []).catch(() => undefined);
    await this.#worker.terminate();
  }

  #ask(method: string, argument: unknown, transfer: readonly Transferable[]): Promise<unknown> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    const id = ++this.#lastId;
    const request: Request = { id, method, argument };
    this.#worker.postMessage(request, transfer);
    return this.#expect(id).promise;
  }

  /** What is waited for of the thread: rejected when it ends. */
  #expect(id: number): PromiseWithResolvers<unknown> {
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.set(id, answer);
    return answer;
  }

  #receive(reply: Reply): void {
    if ('notice' in reply) {
      this.#options.onNotice?.(reply.notice);
      return;
    }
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ('failure' in reply) waiting?.reject(errorOf(reply.failure));
    else waiting?.resolve(reply.value);
  }

  #end(error: Error): void {
    if (this.#ended !== null) return;
    this.#ended = error;
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
    if (!this.#closing) this.#options.onDeath?.(error);
  }
}

const OPEN = '(open)';
const CLOSE = '(close)';

/** What `open` gives: the methods, and what to do at the end. */
export interface Served<M> {
  readonly methods: M;
  close(): void;
}

/**
 * The worker's side: opens with the data of `startWorker`, then answers requests one after another. `notify` sends a
 * notice to the main side. A method may return a `Moved` (see `moved`) to move buffers. One that returns a promise does
 * not keep those behind it waiting.
 */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- names what the main side gives, which nothing here can check
export function serveWorker<D, M extends Methods<M>>(
  open: (data: D, notify: (notice: unknown) => void) => Served<M>,
): void {
  const port = parentPort;
  if (port === null) throw new Error('this module runs as a worker only');
  let served: Served<M> | null = null;

  const perform = (request: Request): unknown => {
    if (request.method === OPEN) {
      served = open(workerData as D, (notice) => port.postMessage({ notice } satisfies Reply));
      return undefined;
    }
    if (request.method === CLOSE) return served?.close();
    const methods = served?.methods as Record<string, (argument: unknown) => unknown> | undefined;
    const method = methods?.[request.method];
    if (method === undefined) throw new Error(`no method ${request.method}`);
    return method(request.argument);
  };

  const answer = (id: number, value: unknown): void => {
    if (value instanceof MovedValue) port.postMessage({ id, value: value.value }, [...value.transfer]);
    else port.postMessage({ id, value } satisfies Reply);
  };
  const fail = (id: number, error: unknown): void => {
    port.postMessage({ id, failure: failureOf(error) } satisfies Reply);
  };
  port.on('message', ({ id, ...request }: Request) => {
    try {
      const value = perform({ id, ...request });
      if (value instanceof Promise) {
        value.then(
          (given) => answer(id, given),
          (error: unknown) => fail(id, error),
        );
      } else answer(id, value);
    } catch (error) {
      fail(id, error);
    }
    boundBufferGarbage();
  });
}

class MovedValue<T> implements Moved<T> {
  readonly value: T;
  readonly transfer: readonly Transferable[];

  constructor(value: T, transfer: readonly Transferable[]) {
    this.value = value;
    this.transfer = transfer;
  }
}

/** Wraps a method's answer so that the ArrayBuffers of `transfer` are moved to the main side. */
export function moved<T>(value: T, transfer: readonly Transferable[]): Moved<T> {
  return new MovedValue(value, transfer);
}

function failureOf(error: unknown): Failure {
  return { code: error instanceof SluiceError ? error.code : null, message: reasonOf(error) };
}

function errorOf(failure: Failure): Error {
  if (failure.code === null || !(failure.code in errorTable)) return new Error(failure.message);
  return new SluiceError(failure.code, failure.message);
}
