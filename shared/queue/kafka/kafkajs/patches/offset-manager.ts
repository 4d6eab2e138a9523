// Symptom: where an offset is out of range, kafkajs commits "the earliest" for the group and goes on there without a
// word; with that, what the group knew is gone. Groups whose owner decides are asked instead. The same object is the
// only way to commit with the generation of one sync, so it is shown to that owner (generation-commits.ts).
// Upstream: https://github.com/tulios/kafkajs/pull/1133, closed without a change.

import OffsetManager from 'kafkajs/src/consumer/offsetManager/index.js';
import { checkFunction, patch } from './patch.ts';

/** The offsets of a member of a group under one generation. */
export interface OffsetKeeper {
  /** Tries once, with that generation. */
  commitOffsets: OffsetManager['commitOffsets'];
  /**
   * Set by its owner: nothing is to be had at the offset that was to be fetched. Until then kafkajs goes to the
   * earliest.
   */
  outOfRange?: (partition: number) => void;
}

/** The keepers of groups whose owner decides, by the member's id; told before GROUP_JOIN, and taken then. */
export const offsetKeepers = new Map<string, OffsetKeeper>();
/** Groups whose owner decides where reading goes on. */
export const decidedGroups = new Set<string>();

const AT = 'src/consumer/offsetManager/index.js: OffsetManager';

export function patchOffsetManager(): void {
  const owner = OffsetManager.prototype;
  checkFunction(AT, owner, 'setDefaultOffset', 1);
  // Called at the end of the constructor, and only there.
  patch({ at: AT, owner, name: 'clearAllOffsets', parameters: 0 }, (original) => {
    return function clearAndShow(this: OffsetManager): void {
      original.call(this);
      if (decidedGroups.has(this.groupId)) offsetKeepers.set(this.memberId, this);
    };
  });
  patch({ at: AT, owner, name: 'setDefaultOffset', parameters: 1 }, (original) => {
    return function askOwner(this: OffsetManager & OffsetKeeper, place) {
      if (this.outOfRange === undefined) return original.call(this, place);
      this.outOfRange(place.partition);
      return Promise.resolve();
    };
  });
}
