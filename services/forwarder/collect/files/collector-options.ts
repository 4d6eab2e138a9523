// What the collector of files is given.

import type { Clock } from '#shared/clock.ts';
import type { Intake, Room } from '../../intake/chunk.ts';
import type { Checkpoints } from '../checkpoints/checkpoints.ts';
import type { FileTelemetry } from './telemetry.ts';
import type { SourceRule } from '../sources/source-form.ts';
import type { WalkLimits } from '../walk/limits.ts';

export interface FileCollectorOptions {
  readonly rules: readonly SourceRule[];
  /** Name of this machine: part of the names of lines. */
  readonly host: string;
  readonly watches: boolean;
  /** As many are followed at once. */
  readonly openFilesMax: number;
  /** Where they are not the usual ones. */
  readonly walkLimits?: Partial<WalkLimits>;
  readonly intake: Intake;
  readonly room: Room;
  readonly clock: Clock;
  readonly checkpoints: Checkpoints;
  readonly telemetry: FileTelemetry;
  readonly signal: AbortSignal;
}
