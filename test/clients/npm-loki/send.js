// PORT TAG COUNT pino-loki|winston-loki TOKEN: sends numbered events by a client of Loki's push API. pino-loki sends
// JSON, winston-loki protobuf packed by Snappy.

import { once } from 'node:events';
import pino from 'pino';
import winston from 'winston';
import LokiTransport from 'winston-loki';

const [port, tag, count, library, token] = process.argv.slice(2);
const host = `http://127.0.0.1:${port}`;
const headers = { 'X-Sluice-Tag': tag };

async function sendByPino() {
  const basicAuth = { username: 'client', password: token };
  const options = {
    host,
    headers,
    basicAuth,
    labels: { app: 'shop' },
    batching: { interval: 1 },
    silenceErrors: false,
  };
  const transport = pino.transport({ target: 'pino-loki', options });
  const logger = pino(transport);
  for (let n = 0; n < Number(count); n += 1) logger.info({ n }, `event ${n}`);
  // Its thread does not keep the process alive.
  setInterval(() => {}, 1000);
  transport.end();
  await once(transport, 'close');
}

async function sendByWinston() {
  const transport = new LokiTransport({
    host,
    headers,
    basicAuth: `client:${token}`,
    labels: { app: 'shop' },
    interval: 1,
    gracefulShutdown: false,
    format: winston.format.json(),
    onConnectionError: (error) => {
      throw error;
    },
  });
  const logger = winston.createLogger({ transports: [transport] });
  for (let n = 0; n < Number(count); n += 1) logger.info({ message: `event ${n}`, n });
  await transport.flush();
}

await (library === 'pino-loki' ? sendByPino() : sendByWinston());
process.exit(0);
