// Builds what users run: one file with everything in it, and its source map. `npm ci` runs it by way of `prepare`.
// Each command's module is evaluated only when the command is called; esbuild keeps that laziness inside the one file.
// Worker threads get bundles of their own, which the one file carries as text (see shared/sqlite/worker-thread.ts).

import { rmSync, symlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { build, type BuildOptions, type Plugin } from 'esbuild';

const workers = [
  'shared/queue/embedded/queue-thread.ts',
  'shared/store/embedded/store-thread.ts',
  'services/forwarder/dialects/conversion-worker.ts',
  'services/forwarder/collect/checkpoints/checkpoint-thread.ts',
  'services/indexer/poison/opening-thread.ts',
  'services/sluice/read/search-thread.ts',
];

/** Elasticsearch's client loads undici beside Node's own HTTP client, which we have it use (connection.ts). */
const withoutUndici: Plugin = {
  name: 'without-undici',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^undici$/ }, ({ path }) => ({ path, namespace: 'unused' }));
    onLoad({ filter: /.*/, namespace: 'unused' }, () => ({ contents: 'module.exports = {};' }));
  },
};

/**
 * An import statement of a built-in module reads each of its exports, lazy ones too: of node:http the WebSocket, and so
 * Node's own undici, 16 MB that nothing here uses.
 */
const builtinsAsNeeded: Plugin = {
  name: 'builtins-as-needed',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:(?:http|util|fs)$/ }, ({ path, kind }) =>
      kind === 'import-statement' ? { path, namespace: 'builtin' } : null,
    );
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
    }));
  },
};

const common = {
  bundle: true,
  platform: 'node',
  target: 'node26',
  format: 'esm',
  minifySyntax: true,
  minifyWhitespace: true,
  logLevel: 'warning',
  plugins: [withoutUndici, builtinsAsNeeded],
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

// The indexer and the forwarder as Lambda functions: files of their own, without what only a long-running process
// needs.
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
