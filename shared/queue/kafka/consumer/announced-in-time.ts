// Fetched records wait here until their reader knows of the assignment. Meanwhile the group's session is kept alive.

import type { Clock } from '#shared/clock.ts';
import type { MemberAssignment } from '../positions/assignments.ts';
import { HEARTBEAT_INTERVAL_MS } from './group-client.ts';
import type { EachBatchPayload } from '../kafkajs/client.ts';

/** Resolves to whether the owner knows of it; to false where it is revoked before. */
export async function announcedInTime(
  assignment: MemberAssignment,
  { heartbeat }: EachBatchPayload,
  clock: Clock,
): Promise<boolean> {
  for (;;) {
    const tick = Promise.withResolvers<'later'>();
    const timer = clock.timer(HEARTBEAT_INTERVAL_MS, () => tick.resolve('later'));
    const told = await Promise.race([assignment.announced, tick.promise]);
    timer[Symbol.dispose]();
    if (told !== 'later') return told;
    await heartbeat();
  }
}
