// A stand-in for the Kubernetes API: a real HTTPS server with an authority of its own, which lists and watches pods in
// the published form, and misbehaves as it is told.

import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ApiPlace } from '#forwarder/collect/pods/api-answer.ts';
import { Authority } from '../../admit/certificates.ts';
import { bookmark, eventOf, listOf, podObject, type PodSpec } from '../../decode/kubernetes/pod-objects.ts';

/** Answers in place of the API. False: not this one. */
export type Answer = (query: URLSearchParams, response: ServerResponse) => boolean | void;

export class StandInApi implements AsyncDisposable {
  readonly account = mkdtempSync(join(tmpdir(), 'sluice-account-'));
  readonly place: ApiPlace;
  /** What was asked, in order. */
  readonly questions: URLSearchParams[] = [];
  /** As many pods are in a page. */
  pageItems = Number.POSITIVE_INFINITY;
  token = 'token-1';
  /** Each answers one question, the first that it wants. */
  readonly instead: Answer[] = [];
  /** Questions with another token. */
  refused = 0;
  readonly #authority: Authority;
  readonly #server: Server;
  readonly #pods = new Map<string, object>();
  readonly #watches = new Set<ServerResponse>();
  #version = 100;

  private constructor(authority: Authority, server: Server) {
    this.#authority = authority;
    this.#server = server;
    this.place = { host: '127.0.0.1', port: (server.address() as AddressInfo).port, account: this.account };
    this.mountToken(this.token);
    this.mountAuthority(readFileSync(authority.certificate.cert, 'utf8'));
    server.on('request', (request, response) => this.#answer(request, response));
  }

  static async start(): Promise<StandInApi> {
    const authority = new Authority();
    const { cert, key } = authority.issue({ name: 'api', alternatives: 'IP:127.0.0.1' });
    const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new StandInApi(authority, server);
  }

  mountToken(token: string): void {
    writeFileSync(join(this.account, 'token'), `${token}\n`);
  }

  mountAuthority(certificate: string): void {
    writeFileSync(join(this.account, 'ca.crt'), certificate);
  }

  get watches(): number {
    return this.#watches.size;
  }

  lists(): number {
    return this.questions.filter((query) => !query.has('watch')).length;
  }

  put(spec: PodSpec): void {
    const version = String((this.#version += 1));
    const pod = podObject({ ...spec, version });
    const type = this.#pods.has(pod.metadata.uid) ? 'MODIFIED' : 'ADDED';
    this.#pods.set(pod.metadata.uid, pod);
    this.tell(eventOf(type, pod));
  }

  /** `tells`: whoever watches hears of it. */
  remove(uid: string, { tells = true } = {}): void {
    const pod = this.#pods.get(uid);
    this.#pods.delete(uid);
    const version = String((this.#version += 1));
    if (pod === undefined || !tells) return;
    this.tell(
      eventOf('DELETED', { ...pod, metadata: { ...(pod as { metadata: object }).metadata, resourceVersion: version } }),
    );
  }

  /** To everybody who watches. */
  tell(text: string): void {
    for (const response of this.#watches) response.write(text);
  }

  bookmark(): void {
    this.tell(bookmark(String(this.#version)));
  }

  /** Ends the watches, in the middle of a line of JSON where one is left open. */
  drop(): void {
    for (const response of this.#watches) response.destroy();
    this.#watches.clear();
  }

  /** So ends a watch whose time is over. */
  end(): void {
    for (const response of this.#watches) response.end();
    this.#watches.clear();
  }

  /** Nobody is there any more. */
  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    this.#authority[Symbol.dispose]();
    rmSync(this.account, { recursive: true, force: true });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams: query } = new URL(request.url ?? '', 'https://api');
    this.questions.push(query);
    response.on('error', () => undefined);
    if (request.headers.authorization !== `Bearer ${this.token}`) {
      this.refused += 1;
      return fail(response, 401, 'Unauthorized');
    }
    if (pathname !== '/api/v1/pods') return fail(response, 404, 'not found');
    const at = this.instead.findIndex((answer) => answer(query, response) !== false);
    if (at >= 0) return void this.instead.splice(at, 1);
    if (query.has('watch')) this.#watch(query, response);
    else this.#list(query, response);
  }

  #list(query: URLSearchParams, response: ServerResponse): void {
    const first = Number(query.get('continue') ?? 0);
    const pods = [...this.#pods.values()];
    const next = first + this.pageItems < pods.length ? String(first + this.pageItems) : '';
    response.end(listOf(pods.slice(first, first + this.pageItems), { version: String(this.#version), next }));
  }

  #watch(query: URLSearchParams, response: ServerResponse): void {
    this.#watches.add(response);
    response.on('close', () => this.#watches.delete(response));
    response.flushHeaders();
    const since = Number(query.get('resourceVersion'));
    for (const pod of this.#pods.values()) {
      const { resourceVersion } = (pod as { metadata: { resourceVersion: string } }).metadata;
      if (Number(resourceVersion) > since) response.write(eventOf('ADDED', pod));
    }
  }
}

export function fail(response: ServerResponse, code: number, message: string, headers = {}): void {
  response.writeHead(code, headers);
  response.end(JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', message, code }));
}

export function isWatch(query: URLSearchParams): boolean {
  return query.has('watch');
}
