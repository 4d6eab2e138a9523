// Builds what users run: one file with everything in it, and its source map. `npm ci` runs it by way of `prepare`.
// Each command's module is evaluated only when the command is called; esbuild keeps that laziness inside the one file.

import { rmSync, symlinkSync } from 'node:fs';
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
  minifyWhitespace: true,
  legalComments: 'linked',
  // CommonJS packages inside an ES module ask for `require`.
  banner: {
    js: "import { createRequire as createRequireOfBundle } from 'node:module';\nconst require = createRequireOfBundle(import.meta.url);\nconst __filename = import.meta.filename;\nconst __dirname = import.meta.dirname;",
  },
  logLevel: 'warning',
});

// npm links the commands of dependencies, but not a project's own: with this, `npx sluice` works in the clone.
const link = 'node_modules/.bin/sluice';
rmSync(link, { force: true });
symlinkSync('../../services/sluice/launch.js', link);
