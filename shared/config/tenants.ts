// The tenants file (`SLUICE_TENANTS`): who they are, how the edge knows them, and what each may send. The edge reads
// it, and the indexer, which looks only at `trust_record_tenant`.
//
//   acme:
//     networks: [10.1.0.0/16]            a connection from there is theirs,
//     certificates: ['*.acme.example']   or one whose certificate has such a name
//     tag_prefix: acme.                  put before every tag
//     bytes_per_second: 10MiB            reading pauses where they send more
//     events_per_second: 20000
//     trust_record_tenant: false         whether a record's own TENANT_ID and SERVICE_ID count

import { type Static, Type } from 'typebox';
import { SluiceError } from '#shared/errors.ts';
import { type Network, parseNetwork } from '#shared/net/networks.ts';
import { TAG_BYTES_MAX } from '#shared/record/record.ts';
import { valueFromText } from './value-text.ts';
import { type ReadFile, linesOf, readYamlFile } from './yaml-file.ts';

export interface Tenant {
  readonly name: string;
  readonly networks: readonly Network[];
  /** Patterns of names in a certificate, `*` for any run of characters. */
  readonly certificates: readonly string[];
  readonly tagPrefix: string;
  /** Null: as many as come. */
  readonly bytesPerSecond: number | null;
  readonly eventsPerSecond: number | null;
  readonly trustsRecords: boolean;
}

const closed = { additionalProperties: false };
const names = Type.Array(Type.String({ minLength: 1 }));
const TenantsFile = Type.Record(
  Type.String(),
  Type.Object(
    {
      networks: Type.Optional(names),
      certificates: Type.Optional(names),
      tag_prefix: Type.Optional(Type.String({ maxLength: TAG_BYTES_MAX / 2 })),
      bytes_per_second: Type.Optional(Type.Unsafe<number | string>({ type: ['number', 'string'] })),
      events_per_second: Type.Optional(Type.Integer({ minimum: 1 })),
      trust_record_tenant: Type.Optional(Type.Boolean()),
    },
    closed,
  ),
);
type Facts = Static<typeof TenantsFile>[string];

/** A tenant's name is a label of metrics and a field of documents. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$/;

/** None where no file is set. Throws config_invalid, a line for each mistake. */
export function loadTenants(path: string | undefined, readFile: ReadFile): Tenant[] {
  if (path === undefined) return [];
  const file = readYamlFile(path, TenantsFile, { readFile, empty: {} });
  const mistakes: string[] = [];
  const tenants = Object.entries(file).map(([name, facts]) => tenantOf(name, facts, mistakes));
  const owners = new Map<string, string>();
  for (const { name, networks } of tenants) {
    for (const { text } of networks) {
      const other = owners.get(text);
      if (other !== undefined) mistakes.push(`${name}.networks: ${text} is a network of ${other} already`);
      owners.set(text, name);
    }
  }
  if (mistakes.length > 0) throw new SluiceError('config_invalid', linesOf(path, mistakes));
  return tenants;
}

function tenantOf(name: string, facts: Facts, mistakes: string[]): Tenant {
  if (!NAME.test(name)) mistakes.push(`${name}: a tenant's name has letters, digits, "_", "." and "-", at most 80`);
  const networks: Network[] = [];
  for (const text of facts.networks ?? []) {
    const network = parseNetwork(text);
    if (network) networks.push(network);
    else mistakes.push(`${name}.networks: ${text} is no network, such as 10.0.0.0/8 or 2001:db8::/32`);
  }
  const rate = valueFromText('bytes', String(facts.bytes_per_second ?? ''));
  const bytesPerSecond = 'value' in rate ? Number(rate.value) : null;
  if (facts.bytes_per_second !== undefined && !(bytesPerSecond !== null && bytesPerSecond >= 1)) {
    mistakes.push(`${name}.bytes_per_second: is not a number of bytes above 0, such as 65536, 64KiB or 2MiB`);
  }
  return {
    name,
    networks,
    certificates: facts.certificates ?? [],
    tagPrefix: facts.tag_prefix ?? '',
    bytesPerSecond,
    eventsPerSecond: facts.events_per_second ?? null,
    trustsRecords: facts.trust_record_tenant ?? false,
  };
}
