// A tenant for the tests, without limits or names unless they are given.

import type { Tenant } from '#shared/config/tenants.ts';

export function tenantOf(name: string, facts: Partial<Tenant> = {}): Tenant {
  return {
    name,
    networks: [],
    certificates: [],
    tagPrefix: '',
    bytesPerSecond: null,
    eventsPerSecond: null,
    trustsRecords: false,
    ...facts,
  };
}
