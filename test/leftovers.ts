// Loaded before each test file (test/run.ts). A test that timed out leaves its connections and timers behind, and they
// would keep the file's process, and with it the whole run, for ever. So the process ends a while after its last test,
// says what was left, and fails.

import { after } from 'node:test';
import { isMainThread } from 'node:worker_threads';

const patienceMs = 30_000;

// Workers that a test starts load it as well.
if (isMainThread) {
  after(() => {
    setTimeout(() => {
      const left = process.getActiveResourcesInfo().join(', ');
      console.error(`Ended: the process still runs ${patienceMs / 1000} s after its last test. What is open: ${left}`);
      process.exit(1);
    }, patienceMs).unref();
  });
}
