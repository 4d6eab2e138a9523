// A Forward server that asks its senders who they are, and what it is told of users, tenants and networks.

import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { startForwardServer } from '#forwarder/accept/forward/forward-server.ts';
import { Admission } from '#forwarder/admit/admission.ts';
import { Credentials } from '#forwarder/admit/credentials.ts';
import type { User } from '#forwarder/admit/users.ts';
import type { Tenant } from '#shared/config/tenants.ts';
import { parseNetwork } from '#shared/net/networks.ts';
import { FakeIntake } from './fake-intake.ts';
import { forwardOptions, samples } from './forward-options.ts';
import { Answers } from './handshake-client.ts';

export const KEY = 'the key';
export const MESSAGE = Buffer.from(encode(['app', 1_700_000_000, { log: 'x' }, { chunk: 'c' }]));
export const user = (name: string, facts: Partial<User> = {}): User => ({
  name,
  password: `${name}'s password`,
  tenant: null,
  tagPrefix: null,
  tags: null,
  ...facts,
});
export const networks = (...texts: string[]) => texts.map((text) => parseNetwork(text)!);

export async function start(t: TestContext, changes: Parameters<typeof forwardOptions>[1]) {
  const intake = new FakeIntake();
  const options = forwardOptions(intake, changes);
  const server = await startForwardServer('127.0.0.1:0', options);
  t.after(() => server.close());
  const port = Number(server.address.split(':')[1]);
  const open = (): { socket: Socket; answers: Answers } => {
    const socket = connect(port, '127.0.0.1');
    t.after(() => socket.destroy());
    return { socket, answers: new Answers(socket) };
  };
  const failures = () => samples(options.metrics, 'auth_failures_total');
  return { intake, port, open, failures, metrics: options.metrics };
}

export const asking = (
  users: readonly User[] = [],
  tenants: readonly Tenant[] = [],
  key: string | undefined = KEY,
) => ({
  admission: new Admission({ allowed: [], tenants, credentials: new Credentials(key, users) }),
});
