import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Overdue, type Progress, SessionWatch } from '#forwarder/accept/forward/session-watch.ts';

const QUIET: Progress = {
  bytesRead: 0,
  framesRead: 0,
  isInFrame: false,
  answersWaiting: 0,
  answersTaken: 0,
  isWaiting: false,
};

/** What is found at each second, given what is then the case. */
function check(title: string, seconds: readonly Partial<Progress>[], expected: Overdue | null) {
  test(title, () => {
    const watch = new SessionWatch({ frameTimeoutMs: 3000, idleTimeoutMs: 5000 }, 0);
    const found = seconds.map((changes, i) => watch.overdue({ ...QUIET, ...changes }, (i + 1) * 1000));
    assert.equal(found.find((one) => one !== null) ?? null, expected);
  });
}

const each = (count: number, of: (i: number) => Partial<Progress>) => Array.from({ length: count }, (_, i) => of(i));

check(
  'silence',
  each(4, () => ({})),
  null,
);
check(
  'silence for too long',
  each(5, () => ({})),
  'idle_timeout',
);
check(
  'silence, while chunks are with us',
  each(9, () => ({ isWaiting: true })),
  null,
);
check(
  'a byte a second',
  each(9, (i) => ({ bytesRead: i })),
  null,
);
check(
  'a frame that does not end',
  each(9, (i) => ({ bytesRead: i, isInFrame: true })),
  'frame_timeout',
);
check(
  'frames that end',
  each(9, (i) => ({ bytesRead: i, isInFrame: true, framesRead: i >> 1 })),
  null,
);
check(
  'a frame that waits for us',
  each(9, () => ({ isInFrame: true, isWaiting: true })),
  null,
);
check(
  'answers that nobody reads',
  each(9, (i) => ({ bytesRead: i, answersWaiting: 9 })),
  'answers_unread',
);
check(
  'answers that are read slowly',
  each(9, (i) => ({ bytesRead: i, answersWaiting: 9, answersTaken: i })),
  null,
);
check(
  'answers that nobody reads, so that nothing goes on',
  each(9, () => ({ answersWaiting: 9, isWaiting: true })),
  'answers_unread',
);
