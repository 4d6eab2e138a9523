// Builds what users run: one file with everything in it, and its source map. `npm ci` runs it by way of `prepare`.
// Each command's module is evaluated only when the command is called; esbuild keeps that laziness inside the one file.
// Worker threads get bundles of their own, which the one file carries as text (see shared/sqlite/worker-thread.ts).

import { rmSync, symlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { build, type BuildOptions } from 'esbuild';

const workers = ['shared/queue/embedded/queue-worker.ts', 'shared/store/embedded/store-worker.ts'];

const common = {
  bundle: true,
  platform: 'node',
  target: 'node26',
  format: 'esm',
  minifySyntax: true,
  minifyWhitespace: true,
  logLevel: 'warning',
} satisfies BuildOptions;

/** CommonJS packages inside an ES module ask for `require`. */
const REQUIRE =
  "import { createRequire as createRequireOfBundle } from 'node:module';\nconst require = createRequireOfBundle(import.meta.url);\nconst __filename = import.meta.filename;\nconst __dirname = import.meta.dirname;";

await build({
  ...common,
  entryPoints: ['services/sluice/main.ts'],
  outfile: 'dist/sluice.js',
  sourcemap: 'linked',
  sourcesContent: true,
  legalComments: 'linked',
  banner: { js: REQUIRE },
  define: { BUNDLED_WORKERS: JSON.stringify(Object.fromEntries(await Promise.all(workers.map(bundledWorker)))) },
});

// The indexer and the forwarder as Lambda functions: files of their own, without what only a long-running process needs.
for (const [entry, outfile] of [
  ['services/lambda/indexer.ts', 'dist/lambda-indexer.mjs'],
  ['services/lambda/forwarder.ts', 'dist/lambda-forwarder.mjs'],
] as const) {
  await build({
    ...common,
    entryPoints: [entry],
    outfile,
    sourcemap: 'linked',
    sourcesContent: true,
    legalComments: 'linked',
    banner: { js: REQUIRE },
  });
}

// npm links the commands of dependencies, but not a project's own: with this, `npx sluice` works in the clone.
const link = 'node_modules/.bin/sluice';
rmSync(link, { force: true });
symlinkSync('../../services/sluice/launch.js', link);

async function bundledWorker(module: string): Promise<[name: string, code: string]> {
  const { outputFiles } = await build({ ...common, entryPoints: [module], write: false });
  return [basename(module, '.ts'), outputFiles.map(({ text }) => text).join('')];
}
