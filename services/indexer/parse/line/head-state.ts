// How far the head of a line was read (head.ts), for the readers of its tokens. One object serves all lines.

import { type Line, fieldNumber } from './line.ts';

export const LOGGER = fieldNumber('log.logger');
export const PID = fieldNumber('process.pid');
export const PROCESS = fieldNumber('process.name');
export const THREAD_ID = fieldNumber('process.thread.id');
export const THREAD = fieldNumber('process.thread.name');

export class HeadState {
  readonly line: Line;
  bytes: Uint8Array = new Uint8Array(0);
  /** The line's end. */
  end = 0;
  /** What is behind it is no head. */
  limit = 0;
  hasTime = false;
  /** Behind the last token that is certain; negative where none is. */
  certain = -1;
  /** Where a thread ends that is one only if something certain follows. */
  threadEnd = 0;
  /** Where the level's token ends, its brackets or colon included. */
  levelEnd = 0;
  /** Whether it is a line of nginx, which ends in what it says of the request. */
  isNginx = false;
  /** Whether the number of an event was read, as .NET has it: then the text may be in the next line. */
  isEvent = false;
  /** Whether a program and its process were read, as syslog has them: then no level is needed. */
  isTagged = false;

  constructor(line: Line) {
    this.line = line;
  }

  start(bytes: Uint8Array, limit: number, end: number): void {
    this.bytes = bytes;
    this.limit = limit;
    this.end = end;
    this.hasTime = false;
    this.certain = -1;
    this.threadEnd = 0;
    this.levelEnd = 0;
    this.isTagged = this.isNginx = this.isEvent = false;
  }
}
