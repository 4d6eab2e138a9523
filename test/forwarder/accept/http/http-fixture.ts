// A server of the HTTP inputs over an intake in memory, and clients for it: fetch, and sockets to write anything to.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import { decodeMulti } from '@msgpack/msgpack';
import {
  type HttpLimits,
  type HttpServer,
  type HttpListenOptions,
  startHttpServer,
} from '#forwarder/accept/http/http-server.ts';
import { httpDialects } from '#forwarder/http-dialects.ts';
import { ByteBudget } from '#shared/byte-budget.ts';
import type { Clock } from '#shared/clock.ts';
import { systemClock } from '#shared/clock.ts';
import { LoginLimit } from '#forwarder/admit/login-limit.ts';
import { ANYONE } from '#forwarder/intake/principal.ts';
import { openDoor } from '#test/forwarder/admit/open-door.ts';
import { FakeIntake } from '../forward/fake-intake.ts';

export const BODY_BYTES_MAX = 256 * 1024;
export const JSON_BODY = { 'content-type': 'application/json' };

/** Whoever comes is let in, and nobody is asked for anything. */
export function openHttp(): Omit<HttpListenOptions, 'intake' | 'telemetry' | 'bodyBytesMax'> {
  return {
    clock: systemClock,
    large: new ByteBudget(2 * BODY_BYTES_MAX),
    door: openDoor({ input: 'http' }),
    tls: null,
    logins: new LoginLimit({ clock: systemClock, pace: { hold: () => Promise.resolve() } }),
    tokens: null,
    roomOf: () => ({ rateWaitMs: 0 }),
    principalOf: (_peer, grant) => ({ ...ANYONE, ...grant, tagPrefix: grant?.tagPrefix ?? '' }),
    corsOrigins: [],
    dialects: httpDialects,
  };
}

export class Fixture implements AsyncDisposable {
  readonly intake = new FakeIntake();
  readonly rejected: [string, string][] = [];
  readonly failures: string[] = [];
  readonly endings: string[][] = [];
  connections = 0;
  server!: HttpServer;

  static async start(
    limits: Partial<HttpLimits> = {},
    clock: Clock = systemClock,
    more: Partial<HttpListenOptions> = {},
  ): Promise<Fixture> {
    const fixture = new Fixture();
    fixture.server = await startHttpServer('127.0.0.1:0', {
      intake: fixture.intake,
      bodyBytesMax: BODY_BYTES_MAX,
      ...openHttp(),
      clock,
      limits,
      ...more,
      telemetry: {
        connectionOpened: () => (fixture.connections += 1),
        connectionClosed: () => (fixture.connections -= 1),
        connectionEnded: (...told) => fixture.endings.push(told),
        authFailed: (_input, reason) => fixture.failures.push(reason),
        chunkRejected: (_input, reason, detail) => fixture.rejected.push([reason, detail]),
      },
    });
    return fixture;
  }

  get url(): string {
    return `http://${this.server.address}`;
  }

  async post(path: string, body: string | Buffer, headers: Record<string, string> = JSON_BODY): Promise<Answer> {
    const response = await fetch(this.url + path, { method: 'POST', body: Buffer.from(body), headers });
    const text = await response.text();
    return { status: response.status, body: text, retryAfter: response.headers.get('retry-after') };
  }

  /** A socket to write anything to; `text` is all that came back, when it has ended. */
  async raw(localAddress = '127.0.0.1'): Promise<Raw> {
    const [host, port] = this.server.address.split(':');
    const socket = connect({ port: Number(port), host, localAddress });
    await once(socket, 'connect');
    return new Raw(socket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.intake.release();
    await this.server.close();
  }
}

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly retryAfter: string | null;
}

export class Raw {
  readonly socket: Socket;
  text = '';
  #changed: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('latin1').on('data', (piece: string) => {
      this.text += piece;
      for (const wake of this.#changed.splice(0)) wake();
    });
    socket.on('error', () => {});
  }

  write(text: string): this {
    this.socket.write(text, 'latin1');
    return this;
  }

  /** Resolves when what came back matches. */
  async until(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.text)) {
      await Promise.race([
        new Promise<void>((resolve) => this.#changed.push(resolve)),
        once(this.socket, 'close').then(() => assert.match(this.text, pattern)),
      ]);
    }
    return this.text;
  }

  async ended(): Promise<string> {
    if (!this.socket.closed) await once(this.socket, 'close');
    return this.text;
  }
}

export const request = (path: string, body: string, headers = 'Content-Type: application/json') =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

export function records({ intake }: Fixture): unknown[] {
  return intake.chunks.flatMap(({ entries }) =>
    [...decodeMulti(entries)].map((entry) => {
      assert(Array.isArray(entry) && entry.length === 2);
      return entry[1];
    }),
  );
}
