// All that we change in kafkajs. Applied before the first client is made (client.ts).

import { patchCodecs } from './codec.ts';
import { patchConnect, patchSend } from './connection.ts';
import { patchEncoder } from './encoder.ts';
import { patchFetch } from './fetch.ts';
import { patchListOffsets } from './list-offsets.ts';
import { patchMetadata } from './metadata.ts';
import { patchOffsetManager } from './offset-manager.ts';
import { patchProduce } from './produce.ts';
import { patchFirstRequest, patchIdleTimer } from './request-queue.ts';
import { patchLogin, patchPush, patchSessionEnd } from './session.ts';

/** Throws where kafkajs is another one than our patches are for. */
export function patchKafkajs(): void {
  patchIdleTimer();
  patchFirstRequest();
  patchSend();
  patchConnect();
  patchSessionEnd();
  patchLogin();
  patchPush();
  patchEncoder();
  patchProduce();
  patchMetadata();
  patchListOffsets();
  patchCodecs();
  patchFetch();
  patchOffsetManager();
}
