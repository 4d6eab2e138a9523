// What a record did to the process that opened it.

/** Why a record is not to be opened: a closed set, for it is a metric label. */
export const HARMS = ['died', 'memory', 'time', 'threw'] as const;
export type Harm = (typeof HARMS)[number];
