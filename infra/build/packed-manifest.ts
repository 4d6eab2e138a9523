// The package.json that `npm pack` puts into the package: npm calls this before (--strip) and after (--restore).
//
// The bundle holds all packages that it needs, so the package needs none but Node itself; without this each
// installation would fetch another hundred that are never loaded, in versions that no lock file names. The manifest of
// the sources keeps them as dependencies, for audits and the list of what the image holds. A run that was broken off in
// between is made good by --restore, or by git.

import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const file = join(import.meta.dirname, '../../package.json');
const original = `${file}.unpacked`;
/** What only means something beside the sources. */
const OF_SOURCES = ['dependencies', 'devDependencies', 'imports', 'scripts', 'private'];

const { values } = parseArgs({ options: { strip: { type: 'boolean' }, restore: { type: 'boolean' } } });
if (existsSync(original)) renameSync(original, file);
if (values.strip) {
  const text = readFileSync(file, 'utf8');
  const manifest = JSON.parse(text) as Record<string, unknown>;
  writeFileSync(original, text);
  const kept = Object.fromEntries(Object.entries(manifest).filter(([name]) => !OF_SOURCES.includes(name)));
  writeFileSync(file, `${JSON.stringify(kept, null, 2)}\n`);
}
