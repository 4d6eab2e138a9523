// Builds what users run: one file with everything in it, and its source map. `npm ci` runs it by way of `prepare`.
// Each command's module is evaluated only when the command is called; esbuild keeps that laziness inside the one file.

import { build } from 'esbuild';

await build({
  entryPoints: ['services/sluice/main.ts'],
  outfile: 'dist/sluice.js',
  bundle: true,
  platform: 'node',
  target: 'node26',
  format: 'esm',
  sourcemap: 'linked',
  sourcesContent: true,
  minifySyntax: true,
  legalComments: 'linked',
  // CommonJS packages inside an ES module ask for `require`.
  banner: {
    js: "import { createRequire as createRequireOfBundle } from 'node:module';\nconst require = createRequireOfBundle(import.meta.url);\nconst __filename = import.meta.filename;\nconst __dirname = import.meta.dirname;",
  },
  logLevel: 'warning',
});
