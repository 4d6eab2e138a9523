// Who may connect, and for whom they speak; all inputs ask here. The tenant of a user or token takes precedence over
// that of a certificate, and that over the network's. Of several networks the smallest counts. A `default` tenant, if
// the file has one, takes the rest.

import type { Config } from '#shared/config/settings.ts';
import { type Tenant, loadTenants } from '#shared/config/tenants.ts';
import type { ReadFile } from '#shared/config/yaml-file.ts';
import { SluiceError } from '#shared/errors.ts';
import { matchesGlob } from '#shared/glob.ts';
import { type Network, NetworkSet, UNIX_PEER, parseNetwork } from '#shared/net/networks.ts';
import { ANYONE, type Grant, type Principal } from '../intake/principal.ts';
import { Credentials } from './credentials.ts';
import { loadUsers } from './users.ts';

export interface Peer {
  /** Of `peerAddress`: without the port; UNIX_PEER on a unix socket, which its permissions guard. */
  readonly address: string;
  /** Names in the certificate that it showed and that was verified; none where it showed none. */
  readonly certificateNames: readonly string[];
}

/**
 * Whom a sender speaks for that shows no more than where it is, and a certificate where it speaks TLS; null: it is not
 * let in.
 */
export type Admit = (peer: Peer) => Principal | null;

interface AdmissionOptions {
  /** Empty: any. */
  readonly allowed: readonly Network[];
  readonly tenants: readonly Tenant[];
  /** Null: senders of Forward are not asked for a key. */
  readonly credentials: Credentials | null;
}

const DEFAULT_TENANT = 'default';

export class Admission {
  readonly tenants: readonly Tenant[];
  readonly credentials: Credentials | null;
  readonly #allowed: NetworkSet | null;
  readonly #byName: ReadonlyMap<string, Tenant>;
  /** The smallest networks first. */
  readonly #networks: readonly { readonly prefixBits: number; readonly set: NetworkSet; readonly tenant: Tenant }[];

  constructor({ allowed, tenants, credentials }: AdmissionOptions) {
    this.tenants = tenants;
    this.credentials = credentials;
    this.#allowed = allowed.length > 0 ? new NetworkSet(allowed) : null;
    this.#byName = new Map(tenants.map((tenant) => [tenant.name, tenant]));
    this.#networks = tenants
      .flatMap((tenant) =>
        tenant.networks.map((network) => ({
          prefixBits: network.prefixBits,
          set: new NetworkSet([network]),
          tenant,
        })),
      )
      .sort((a, b) => b.prefixBits - a.prefixBits);
  }

  /** Whether a connection, or a datagram, from this address (of `peerAddress`) is looked at. */
  admits(address: string): boolean {
    return this.#allowed === null || address === UNIX_PEER || this.#allowed.has(address);
  }

  /** `grant`: of its user or its token; null where none was asked for. */
  principalOf({ address, certificateNames }: Peer, grant: Grant | null): Principal {
    const tenant =
      (grant?.tenant ? this.#byName.get(grant.tenant) : undefined) ??
      this.tenants.find(({ certificates }) =>
        certificates.some((pattern) => certificateNames.some((name) => matchesGlob(pattern, name))),
      ) ??
      this.#networks.find(({ set }) => set.has(address))?.tenant ??
      this.#byName.get(DEFAULT_TENANT);
    if (!tenant && !grant) return ANYONE;
    return {
      tenant: tenant?.name ?? null,
      tagPrefix: grant?.tagPrefix ?? tenant?.tagPrefix ?? '',
      tags: grant?.tags ?? null,
    };
  }
}

/** Throws config_invalid with every mistake of the networks, the tenants and the users on a line. */
export function loadAdmission(config: Config, readFile: ReadFile): Admission {
  const mistakes: string[] = [];
  const tenants = attempt(mistakes, () => loadTenants(config['tenants'], readFile)) ?? [];
  const users = attempt(mistakes, () => loadUsers(config['users'], tenants, readFile)) ?? [];
  const allowed = attempt(mistakes, () => allowedNetworks(config)) ?? [];
  if (mistakes.length > 0) throw new SluiceError('config_invalid', mistakes.join('\n'));
  const sharedKey = config['shared_key'];
  const credentials = sharedKey !== undefined || users.length > 0 ? new Credentials(sharedKey, users) : null;
  return new Admission({ allowed, tenants, credentials });
}

export function allowedNetworks(config: Config): Network[] {
  return (config['allow_networks'] ?? []).map((text) => {
    const network = parseNetwork(text);
    if (network) return network;
    const example = 'such as 10.0.0.0/8 or 2001:db8::/32';
    throw new SluiceError('config_invalid', `SLUICE_ALLOW_NETWORKS: ${text} is no network, ${example}`);
  });
}

function attempt<T>(mistakes: string[], load: () => T): T | null {
  try {
    return load();
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    mistakes.push(error.message);
    return null;
  }
}
