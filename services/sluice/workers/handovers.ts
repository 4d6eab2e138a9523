// The connections that are on their way from the primary to a worker. node:cluster closes its own end of one when the
// worker reports that it has it. Where the worker is killed before, nobody ever closes it (seen with Node 26). A sender
// that waits for an ack without a limit, as Docker's driver does, would wait for ever. Such a connection is closed
// here, so that the sender comes again.
//
//   primary → worker   {cmd: 'NODE_CLUSTER', act: 'newconn', seq: 7}, and the socket
//   worker → primary   {cmd: 'NODE_CLUSTER', ack: 7, accepted: true}      false: it is given to another

import type { ChildProcess } from 'node:child_process';

interface Closable {
  close(): void;
}

/** Watches what node:cluster sends; returns what closes all that is on its way, for when the process has ended. */
export function watchHandovers(child: ChildProcess): () => void {
  const onTheirWay = new Map<unknown, Closable>();
  const send = child.send.bind(child) as (...args: unknown[]) => boolean;
  child.send = (...args: unknown[]): boolean => {
    const [message, handle] = args;
    if (isHandover(message) && isClosable(handle)) onTheirWay.set(message.seq, handle);
    return send(...args);
  };
  child.on('internalMessage', (message: unknown) => {
    if (isObject(message) && 'ack' in message) onTheirWay.delete(message.ack);
  });
  return () => {
    for (const handle of onTheirWay.values()) handle.close();
    onTheirWay.clear();
  };
}

function isHandover(message: unknown): message is { readonly seq: unknown } {
  return isObject(message) && 'act' in message && message.act === 'newconn' && 'seq' in message;
}

function isClosable(handle: unknown): handle is Closable {
  return isObject(handle) && 'close' in handle && typeof handle.close === 'function';
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
