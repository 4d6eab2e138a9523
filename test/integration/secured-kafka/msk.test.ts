// `aws-msk-iam` as far as it can be had without AWS: a stand-in for a broker takes the login over TLS and keeps what it
// was shown. The credentials are variables, as a Lambda function's role gives them; no secret is configured.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:tls';
import { test } from 'node:test';
import { newCertificate, whyNoCertificates } from '../parts/certificate.ts';
import { newPlace, sluice } from '../parts/sluice-process.ts';

const [API_VERSIONS, HANDSHAKE, AUTHENTICATE] = [18, 17, 36];
const AUTHENTICATION_FAILED = 58;

const i16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);
const i32 = (value: number): Buffer => Buffer.concat([i16(value >>> 16), i16(value & 0xffff)]);
const string = (text: string): Buffer => Buffer.concat([i16(Buffer.byteLength(text)), Buffer.from(text)]);

/** Frame of a request: length, API, version, correlation id, client id, body. */
function answerOf(request: Buffer, saw: (login: string) => void): Buffer {
  const api = request.readInt16BE(4);
  const version = request.readInt16BE(6);
  const body = request.subarray(14 + request.readInt16BE(12));
  const parts = [request.subarray(8, 12)];
  if (api === API_VERSIONS) {
    // Error 35: a version that is not supported.
    const known = [API_VERSIONS, HANDSHAKE, AUTHENTICATE].flatMap((one) => [i16(one), i16(0), i16(1)]);
    parts.push(i16(version === 0 ? 0 : 35), i32(3), ...known);
  } else if (api === HANDSHAKE) {
    parts.push(i16(0), i32(1), string('OAUTHBEARER'));
  } else {
    saw(body.subarray(4).toString());
    parts.push(i16(AUTHENTICATION_FAILED), string('Access denied'), i32(0), i32(0), i32(0));
  }
  const answer = Buffer.concat(parts);
  return Buffer.concat([i32(answer.length), answer]);
}

async function broker(options: { key: string; cert: string }, saw: (login: string) => void): Promise<Server> {
  const server = createServer(options, (socket) => {
    let bytes = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('data', (data: Buffer) => {
      bytes = Buffer.concat([bytes, data]);
      while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
        const length = 4 + bytes.readInt32BE(0);
        socket.write(answerOf(bytes.subarray(0, length), saw));
        bytes = bytes.subarray(length);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

const skip = whyNoCertificates() ?? false;

test('a broker of Amazon MSK is shown a signed URL, and no secret is configured', { skip }, async (t) => {
  await using place = await newPlace();
  const { cert, key } = await newCertificate(place.dataDir);
  const logins: string[] = [];
  const server = await broker({ cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') }, (login) =>
    logins.push(login),
  );
  t.after(() => server.close());
  const { code, stdout, stderr } = await sluice(['check'], place, {
    SLUICE_KAFKA_BROKERS: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    SLUICE_KAFKA_TLS: 'true',
    SLUICE_KAFKA_TLS_CA: cert,
    SLUICE_KAFKA_SASL_MECHANISM: 'aws-msk-iam',
    SLUICE_STORE: 'embedded',
    AWS_REGION: 'eu-west-3',
    AWS_ACCESS_KEY_ID: 'ASIATEST',
    AWS_SECRET_ACCESS_KEY: 'hunter2',
    AWS_SESSION_TOKEN: 'of-the-role',
  });
  assert.equal(code, 1, stdout + stderr);
  assert.match(stdout, /^failed {2}Kafka at 127.0.0.1:\d+: Cannot log in to .* with a token: Access denied; look at/m);
  assert.doesNotMatch(stdout + stderr, /hunter2/);
  const [, token = ''] = /^n,,\p{Cc}auth=Bearer ([\w-]+)\p{Cc}\p{Cc}$/u.exec(logins[0] ?? '') ?? [];
  const url = new URL(Buffer.from(token, 'base64url').toString());
  assert.equal(url.host, 'kafka.eu-west-3.amazonaws.com');
  assert.equal(url.searchParams.get('Action'), 'kafka-cluster:Connect');
  assert.equal(url.searchParams.get('X-Amz-Security-Token'), 'of-the-role');
});
