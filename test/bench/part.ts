// One part of the benchmark in a process of its own, so that no other part's heap or compiled code is in its figures: `node part.ts NAME`.

import { endAll } from '#test/backends/source.ts';

const [, , name] = process.argv;
try {
  const { run }: { run: () => Promise<void> } = await import(`./${name}.ts`);
  await run();
} finally {
  await endAll();
}
process.send?.({ peakMib: process.resourceUsage().maxRSS / 1024 });
process.disconnect?.();
