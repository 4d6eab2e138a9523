// How fast one address may guess at the key of the Forward input, and whom else that holds back.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { startForwardServer } from '#forwarder/accept/forward/forward-server.ts';
import { RefusalPace } from '#forwarder/accept/turns/refusal-pace.ts';
import { Admission } from '#forwarder/admit/admission.ts';
import { Credentials } from '#forwarder/admit/credentials.ts';
import { LoginLimit } from '#forwarder/admit/login-limit.ts';
import { systemClock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { FakeIntake } from './fake-intake.ts';
import { forwardOptions, samples } from './forward-options.ts';
import { Answers, ping } from './handshake-client.ts';

const KEY = 'the key';
const admission = new Admission({ allowed: [], tenants: [], credentials: new Credentials(KEY, []) });
const message = (chunk: string) => Buffer.from(encode(['app', 1_700_000_000, { log: 'x' }, { chunk }]));

async function start(
  t: TestContext,
  ...changes: [Parameters<typeof forwardOptions>[1], Parameters<typeof forwardOptions>[2]?]
) {
  const intake = new FakeIntake();
  const options = forwardOptions(intake, ...changes);
  const server = await startForwardServer('127.0.0.1:0', options);
  t.after(() => server.close());
  const open = async () => {
    const socket = connect(Number(server.address.split(':')[1]), '127.0.0.1');
    t.after(() => socket.destroy());
    const answers = new Answers(socket);
    return { socket, answers, helo: await answers.helo() };
  };
  /** What the PONG says; null where none comes. */
  const shake = async (key: string, hostname = 'node-1') => {
    const { socket, answers, helo } = await open();
    socket.write(ping(helo, { key, hostname }));
    const pong = await answers.next();
    return { isAdmitted: Array.isArray(pong) ? Boolean(pong[1]) : null, socket, answers };
  };
  return { intake, shake, failures: () => samples(options.metrics, 'auth_failures_total') };
}

test('who does not know the key waits for the answer, by address', async (t) => {
  const held: string[] = [];
  const goOn = Promise.withResolvers<void>();
  const pace = {
    hold(peer: string): Promise<void> {
      held.push(peer);
      return goOn.promise;
    },
  };
  const { shake } = await start(t, { admission, logins: new LoginLimit({ clock: systemClock, pace }) });
  const answer = shake('wrong');
  while (held.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(await Promise.race([answer, Promise.resolve('waits')]), 'waits');
  goOn.resolve();
  assert.equal((await answer).isAdmitted, false);
  assert.deepEqual(held, ['127.0.0.1']);
});

test('beyond so many guesses no key is compared, and no PONG tells if it was right; a session goes on', async (t) => {
  const clock = new VirtualClock();
  const logins = new LoginLimit({ clock, pace: { hold: () => Promise.resolve() } });
  const { shake, failures } = await start(t, { admission, logins });
  const old = await shake(KEY);
  const guesses = await Promise.all(Array.from({ length: 80 }, (_, n) => shake(`guess ${n}`)));
  assert.equal(guesses.filter(({ isAdmitted }) => isAdmitted === false).length, 30);
  assert.equal(guesses.filter(({ isAdmitted }) => isAdmitted === null).length, 50);
  assert.equal((await shake(KEY)).isAdmitted, null);
  assert.deepEqual(await failures(), {
    '{input="forward",reason="shared_key_wrong"}': 30,
    '{input="forward",reason="login_limited"}': 51,
  });
  old.socket.write(message('c'));
  assert.deepEqual(await old.answers.next(), { ack: 'c' });
  await clock.advance(200);
  assert.equal((await shake(KEY)).isAdmitted, true);
});

test('what is refused again and again is so by its address, whatever the sender calls itself', async (t) => {
  const held: string[] = [];
  const pace = new RefusalPace({ clock: systemClock, heldMax: 10, unreadyReason: () => null });
  pace.hold = (peer) => Promise.resolve(void held.push(peer));
  const { intake, shake } = await start(t, { admission }, { pace });
  intake.refusal = new SluiceError('queue_unavailable', 'Cannot hold it: a test says so');
  for (const hostname of ['node-1', 'node-2']) {
    const { socket, answers } = await shake(KEY, hostname);
    socket.write(message('c'));
    assert.equal(await answers.next(), null);
  }
  assert.deepEqual(held, ['127.0.0.1', '127.0.0.1']);
});
