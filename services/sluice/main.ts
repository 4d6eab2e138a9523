// The entry of the program.

import { runCommandLine } from './command-line.ts';

// Whatever is still open when a command is done (a stop that took too long) must not keep the process.
process.exit(await runCommandLine(process.argv.slice(2)));
