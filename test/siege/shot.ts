// Sends one body the way its shape goes, and waits for what is said to it.

import { createSocket } from 'node:dgram';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { encode } from '@msgpack/msgpack';
import type { Ports } from './world.ts';
import { bodyOf, type Genome } from './genome.ts';
import type { Encoding, Shape } from './shape-parts.ts';
import { compressed } from './shapes.ts';

/** Who waits longer has been forgotten; a busy machine takes its time. */
const answerMs = 60_000;
/** What a stream without acks is given to be read. */
const streamMs = 500;
const datagramBytes = 8000;
/** More than the kernel keeps is not even looked at. */
const datagramsMax = 500;
const gelfChunks = 100;

const agent = new Agent({ keepAlive: true, maxSockets: 8 });
let chunks = 0;

export interface Shot {
  readonly shape: Shape;
  readonly encoding: Encoding;
  /** As it goes over the wire. */
  readonly bytes: Buffer;
}

export interface Answer {
  /** "200", "ack", "closed", "sent". */
  readonly said: string;
}

export function shotOf(genome: Genome): Shot {
  return { shape: genome.shape, encoding: genome.encoding, bytes: compressed(bodyOf(genome), genome.encoding) };
}

/** Never rejects. */
export async function shoot(shot: Shot, ports: Ports): Promise<Answer> {
  switch (shot.shape.via) {
    case 'http':
      return byHttp(shot, ports.http);
    case 'forward':
      return byStream(forwardFrame(shot), ports.forward, answerMs);
    case 'forward-stream':
      return byStream(shot.bytes, ports.forward, streamMs);
    case 'syslog-tcp':
      return byStream(shot.bytes, ports.syslog, streamMs);
    case 'gelf-tcp':
      return byStream(shot.bytes, ports.gelf, streamMs);
    case 'syslog-udp':
      return byDatagrams(datagramsOf(shot.bytes), ports.syslog);
    case 'gelf-udp':
      return byDatagrams(gelfDatagrams(shot.bytes), ports.gelf);
  }
}

function byHttp({ shape, encoding, bytes }: Shot, port: number): Promise<Answer> {
  return new Promise((resolve) => {
    const sent = request(
      {
        agent,
        host: '127.0.0.1',
        port,
        method: 'POST',
        path: shape.path ?? '/',
        timeout: answerMs,
        headers: {
          'content-type': shape.contentType ?? 'application/octet-stream',
          'content-length': bytes.length,
          ...(encoding !== 'identity' && { 'content-encoding': encoding }),
          ...shape.headers,
        },
      },
      (answer) => {
        answer.resume().on('close', () => resolve({ said: String(answer.statusCode) }));
      },
    );
    sent.on('timeout', () => sent.destroy());
    sent.on('error', () => resolve({ said: 'closed' }));
    sent.end(bytes);
  });
}

function forwardFrame({ shape, encoding, bytes }: Shot): Buffer {
  const option = {
    chunk: `siege-${process.pid}-${chunks++}`,
    ...(encoding !== 'identity' && { compressed: encoding }),
  };
  return Buffer.from(encode([shape.tag ?? 'siege', bytes, option]));
}

/** Ends at the first answer, when the other side closes, or after a while. */
function byStream(bytes: Buffer, port: number, waitMs: number): Promise<Answer> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const done = (said: string): void => {
      socket.destroy();
      resolve({ said });
    };
    socket.on('error', () => undefined).on('close', () => done('closed'));
    // Of many acks all are read.
    socket.on('data', () => waitMs === answerMs && done('ack'));
    socket.write(bytes, () => setTimeout(() => done('sent'), waitMs).unref());
    setTimeout(() => done('sent'), answerMs).unref();
  });
}

function datagramsOf(bytes: Buffer): Buffer[] {
  const datagrams: Buffer[] = [];
  for (let at = 0; at < bytes.length && datagrams.length < datagramsMax; at += datagramBytes) {
    datagrams.push(bytes.subarray(at, at + datagramBytes));
  }
  return datagrams;
}

/** Messages in many chunks, of every other of which the last chunk never comes. */
function gelfDatagrams(bytes: Buffer): Buffer[] {
  return datagramsOf(bytes).map((part, i) => {
    const head = Buffer.alloc(12);
    head.writeUInt16BE(0x1e0f, 0);
    head.writeUInt32BE(process.pid, 2);
    const message = Math.floor(i / gelfChunks);
    head.writeUInt32BE(chunks + message, 6);
    head[10] = i % gelfChunks;
    head[11] = gelfChunks + (message % 2);
    return Buffer.concat([head, part]);
  });
}

async function byDatagrams(datagrams: readonly Buffer[], port: number): Promise<Answer> {
  chunks += datagrams.length;
  const socket = createSocket('udp4').on('error', () => undefined);
  for (const [i, datagram] of datagrams.entries()) {
    await new Promise((resolve) => socket.send(datagram, port, '127.0.0.1', resolve));
    if (i % 50 === 49) await delay(1);
  }
  socket.close();
  return { said: 'sent' };
}
