// `sluice setup` for Kafka in a process of its own, which kills itself before it sends its n-th request: node
// dying-setup.ts SETTINGS N SETTINGS: the environment of the configuration, as JSON. Ends with 0 where it had less to
// send.

import { Socket } from 'node:net';
import { loadConfig } from '#shared/config/load.ts';
import { setupTopics } from '#shared/queue/kafka/setup.ts';

const [settings = '{}', last = '1'] = process.argv.slice(2);
const env = JSON.parse(settings) as Record<string, string>;
let sent = 0;
const { write } = Socket.prototype;
Socket.prototype.write = function writeOrDie(this: Socket, ...given: Parameters<typeof write>): boolean {
  if (++sent === Number(last)) process.kill(process.pid, 'SIGKILL');
  return write.apply(this, given);
} as typeof write;
await setupTopics(loadConfig({ env, readFile: () => '' }));
process.exit(0);
