// For tests of inputs with an intake that knows chunks only: a chunk in slices comes to it as one of what is whole, and
// what is bad in it as dead letters.

import type { Intake, SlicedIntake } from '#forwarder/intake/chunk.ts';

export function wholeSlices(intake: Intake | SlicedIntake): SlicedIntake {
  if ('acceptSlices' in intake) return intake;
  const acceptSlices: SlicedIntake['acceptSlices'] = async (chunk, feed) => {
    const { tag, input, tenant, sender, chunkId } = chunk;
    const origin = { tag, input, tenant, sender };
    const slices: Uint8Array[] = [];
    let count = 0;
    await feed({
      add: async (entries, _first, added) => {
        slices.push(Buffer.from(entries));
        count += added;
      },
      reject: ({ bytes, why, cut }) =>
        intake.deadLetter({ ...origin, bytes, reason: 'entry_malformed', error: why, cut }),
      rejectRest: ({ bytes, why, cut }) =>
        intake.deadLetter({ ...origin, bytes, reason: 'chunk_undecodable', error: why, cut }),
    });
    const entries = Buffer.concat(slices);
    if (count > 0) await intake.accept({ ...origin, chunkId, encoding: 'identity', bytes: entries, entries, count });
  };
  return {
    accept: (chunk) => intake.accept(chunk),
    deadLetter: (undecodable) => intake.deadLetter(undecodable),
    room: () => intake.room(),
    get hasRoom() {
      return intake.hasRoom;
    },
    get unreadyReason() {
      return intake.unreadyReason;
    },
    acceptSlices,
  };
}
