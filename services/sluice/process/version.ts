// The version of this Sluice, from package.json; the bundle has it inside.

import manifest from '../../../package.json' with { type: 'json' };

export const VERSION: string = manifest.version;
