// The floor under one-event acks: a server that answers each frame at once, and neither decodes nor keeps it. What it
// reaches on a machine is what a read and a write system call an event leave to any program on Node there.
//   node bare-answerer.ts      prints its port

import { createServer } from 'node:net';

const CHUNK_KEY = Buffer.from('chunk');
const ACK_HEAD = Buffer.from([0x81, 0xa3, 0x61, 0x63, 0x6b]);

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy());
  // The sender has one frame under way, and its chunk's id stands last.
  socket.on('data', (frame: Buffer) => {
    socket.write(Buffer.concat([ACK_HEAD, frame.subarray(frame.lastIndexOf(CHUNK_KEY) + CHUNK_KEY.length)]));
  });
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object') process.stdout.write(`${address?.port}\n`);
});
