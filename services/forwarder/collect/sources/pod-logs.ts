// `collect.kubernetes` as a rule of files: which paths below the kubelet's folder are wanted, and what a path tells of
// its lines. Their names need the path alone; what the Kubernetes API says of a pod goes beside them (pod-metadata.ts).

import type { KubernetesRule } from '#shared/config/settings/container-rules.ts';
import { ContainerEntries } from '../../decode/containers/container-entries.ts';
import { CRI } from '../../decode/containers/container-line.ts';
import { fieldsOfPod, podPathOf, tagOfPod } from '../../decode/containers/pod-path.ts';
import { fieldsOfFile } from '../../decode/files/line-entries.ts';
import { PodMetadata, type PodSource } from '../pods/pod-metadata.ts';
import type { SourceRule } from './source-form.ts';

const POD_LOGS = '/var/log/pods';

/** `pods`: who knows more of them than their paths; null: nobody. */
export function podRule(
  rule: KubernetesRule,
  host: string,
  pods: { readonly source: PodSource; readonly nowMs: () => number } | null = null,
): SourceRule {
  const { path = POD_LOGS, include = ['*'], exclude = [], from, max_bytes_per_second } = rule;
  return {
    include: include.map((pattern) => pathPattern(path, pattern)),
    exclude: exclude.map((pattern) => pathPattern(path, pattern)),
    ...(from !== undefined && { from }),
    ...(max_bytes_per_second !== undefined && { max_bytes_per_second }),
    form: {
      root: path,
      factsOf: (source) => {
        const pod = podPathOf(source);
        const fields = { ...fieldsOfFile(source, host), ...(pod !== null && fieldsOfPod(pod)) };
        const metadata = pod === null || pods === null ? null : new PodMetadata(pods.source, pod, pods.nowMs);
        const known = metadata === null ? {} : { metadata: metadata.packed };
        return {
          tag: tagOfPod(source),
          root: path,
          newEntries: (_head, place) => new ContainerEntries({ fields, format: CRI, ...known }, place),
          ...(metadata !== null && { waitMs: metadata.waitMs }),
        };
      },
    },
  };
}

/** What the kubelet has rotated is asked for too, or what was there before the first start would be left. */
const ROTATED = '{,.[0-9]*[0-9],.[0-9]*.gz}';

/** `namespace`, `namespace/pod` or `namespace/pod/container`, each with wildcards. */
function pathPattern(path: string, pattern: string): string {
  const [namespace = '*', pod, container = '*'] = pattern.split('/');
  // `*` alone is for any folder, also one whose name has not the form of a pod's.
  const folder = namespace === '*' && pod === undefined ? '*' : `${namespace}_${pod ?? '*'}_*`;
  return `${path}/${folder}/${container}/*.log${ROTATED}`;
}
