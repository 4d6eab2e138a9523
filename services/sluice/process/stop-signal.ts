// What asks a command to stop: SIGINT, SIGTERM, and the end of those who started it (parent-processes.ts).
//
// The first signal asks for an orderly stop; a second one of its kind ends the process as it would without us. Ctrl-C
// reaches the whole group of processes, and npm and launch.js pass it on besides: what comes within SAME_MS is the same
// one.

import { parentsAlive, type StartedBy } from './parent-processes.ts';

const SAME_MS = 1000;
const CHECK_INTERVAL_MS = 250;

export function stopSignal(startedBy: StartedBy): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    let firstMs: number | undefined;
    const onSignal = (): void => {
      const nowMs = performance.now();
      if (firstMs === undefined) {
        firstMs = nowMs;
        controller.abort(name);
      } else if (nowMs - firstMs >= SAME_MS) {
        process.off(name, onSignal);
        process.kill(process.pid, name);
      }
    };
    process.on(name, onSignal);
  }
  if (startedBy.npm || startedBy.launcher !== undefined) watch(startedBy, controller);
  return controller.signal;
}

function watch(startedBy: StartedBy, controller: AbortController): void {
  const areAlive = parentsAlive(startedBy);
  const check = (): void => {
    if (controller.signal.aborted) clearInterval(timer);
    else if (!areAlive()) controller.abort('the process that started this one is gone');
  };
  const timer = setInterval(check, CHECK_INTERVAL_MS);
  timer.unref();
  check();
}
