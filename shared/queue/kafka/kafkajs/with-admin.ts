// Asks the brokers something through a connection of its own, which is closed whatever comes of it.

import { reasonOf } from '#shared/errors.ts';
import type { Admin, Kafka } from './client.ts';

/** Rejects with what `work` or the connecting rejects with. */
export async function withAdmin<T>(
  kafka: Kafka,
  work: (admin: Admin) => Promise<T>,
  debug: (reason: string) => void = () => undefined,
): Promise<T> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    return await work(admin);
  } finally {
    await admin.disconnect().catch((error: unknown) => debug(reasonOf(error)));
  }
}
