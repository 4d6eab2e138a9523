// The entry of the program.

import { runChildModule } from '#shared/child-process.ts';
import { runCommandLine } from './command-line.ts';

const children = { 'opening-child': () => import('#indexer/poison/opening-child.ts') };

const args = process.argv.slice(2);
// Whatever is still open when a command is done (a stop that took too long) must not keep the process.
if (!(await runChildModule(args, children))) process.exit(await runCommandLine(args));
