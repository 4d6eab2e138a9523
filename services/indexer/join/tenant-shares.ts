// A map in which each tenant keeps a share: where it is full, the oldest entry of the tenant that has the most makes
// room. One tenant can so make the others forget nothing that is within an equal share.
//
// Guarantee: bounded.

export class TenantShares<Value> {
  readonly #max: number;
  /** By tenant, each the oldest first. */
  readonly #tenants = new Map<string, Map<string, Value>>();
  size = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get(tenant: string, key: string): Value | undefined {
    return this.#tenants.get(tenant)?.get(key);
  }

  /** The key is then the tenant's newest. */
  set(tenant: string, key: string, value: Value): void {
    this.delete(tenant, key);
    const own = this.#tenants.get(tenant) ?? new Map<string, Value>();
    this.#tenants.set(tenant, own);
    own.set(key, value);
    this.size += 1;
    if (this.size > this.#max) this.#forgetOne();
  }

  delete(tenant: string, key: string): void {
    const own = this.#tenants.get(tenant);
    if (own?.delete(key) !== true) return;
    this.size -= 1;
    if (own.size === 0) this.#tenants.delete(tenant);
  }

  /** Forgets what is old: of each tenant, up to the first that is not. */
  forget(isOld: (value: Value) => boolean): void {
    for (const [tenant, own] of this.#tenants) {
      for (const [key, value] of own) {
        if (!isOld(value)) break;
        this.delete(tenant, key);
      }
    }
  }

  #forgetOne(): void {
    let largest: [string, Map<string, Value>] | undefined;
    for (const one of this.#tenants) if (one[1].size > (largest?.[1].size ?? 0)) largest = one;
    for (const key of largest?.[1].keys() ?? []) return this.delete(largest?.[0] ?? '', key);
  }
}
