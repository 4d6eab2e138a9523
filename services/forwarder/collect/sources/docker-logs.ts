// `collect.docker` as a rule of files: which containers below Docker's folder are wanted, by the names and labels that
// their `config.v2.json` says, and what their lines are. The daemon is not asked: it may be down, or not yet up.
//
// Guarantee: what is said of a container is that of when its log was first seen, and is kept with its checkpoint: it is
// part of the names of its lines.

import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { DockerRule } from '#shared/config/settings/container-rules.ts';
import { ContainerEntries } from '../../decode/containers/container-entries.ts';
import { JSON_FILE } from '../../decode/containers/container-line.ts';
import {
  containerIdOf,
  type DockerContainer,
  dockerContainerOf,
  fieldsOfContainer,
  labelsWithin,
  NOBODY,
  tagOfContainer,
} from '../../decode/containers/docker-container.ts';
import { fieldsOfFile } from '../../decode/files/line-entries.ts';
import { matcherOfNames } from '../../decode/files/path-pattern.ts';
import type { SourceForm, SourceRule } from './source-form.ts';

const DOCKER_LOGS = '/var/lib/docker/containers';
const CONFIG_BYTES_MAX = 4 * 1024 * 1024;
/** Beyond, all are asked again: containers come and go. */
const KNOWN_MAX = 20_000;
const LABEL = 'label:';

export function dockerRule(rule: DockerRule, host: string): SourceRule {
  const { path = DOCKER_LOGS, from, max_bytes_per_second } = rule;
  return {
    include: [`${path}/*/*-json.log{,.[0-9]*}`],
    ...(from !== undefined && { from }),
    ...(max_bytes_per_second !== undefined && { max_bytes_per_second }),
    form: new DockerForm(rule, host),
  };
}

class DockerForm implements SourceForm {
  readonly #host: string;
  readonly #isWanted: (container: DockerContainer) => boolean;
  /** Whether it must be known what a container is. */
  readonly #isChoosy: boolean;
  readonly #isLabel: (name: string) => boolean;
  /** By path of the source: what is said of it; null: it is not wanted. */
  readonly #known = new Map<string, string | null>();

  constructor({ include, exclude = [], labels }: DockerRule, host: string) {
    this.#host = host;
    const included = include?.map(matcherOf);
    const excluded = exclude.map(matcherOf);
    this.#isWanted = (container) =>
      (included?.some((matches) => matches(container)) ?? true) && !excluded.some((matches) => matches(container));
    this.#isChoosy = included !== undefined || excluded.length > 0;
    const chosen = labels?.map(matcherOfNames);
    this.#isLabel = (name) => chosen?.some((matches) => matches(name)) ?? true;
  }

  async facts(source: string): Promise<string | null> {
    const before = this.#known.get(source);
    if (before !== undefined) return before;
    if (containerIdOf(source) === null) return null;
    const read = dockerContainerOf((await configOf(dirname(source))) ?? '');
    // The next walk asks again.
    if (read === null && this.#isChoosy) throw new Error('its config.v2.json does not say which container it is');
    const container = read ?? NOBODY;
    const labels = Object.fromEntries(Object.entries(container.labels).filter(([name]) => this.#isLabel(name)));
    const facts = this.#isWanted(container) ? JSON.stringify({ ...container, labels: labelsWithin(labels) }) : null;
    if (read === null) return facts;
    if (this.#known.size >= KNOWN_MAX) this.#known.clear();
    this.#known.set(source, facts);
    return facts;
  }

  factsOf(source: string, facts: string): ReturnType<SourceForm['factsOf']> {
    const container = facts === '' ? NOBODY : (JSON.parse(facts) as DockerContainer);
    const id = containerIdOf(source) ?? '';
    const fields = { ...fieldsOfFile(source, this.#host), ...fieldsOfContainer(id, container) };
    const { labels } = container;
    const hasLabels = Object.keys(labels).length > 0;
    return {
      tag: tagOfContainer(source, container),
      followsLinks: false,
      newEntries: (_head, place) =>
        new ContainerEntries({ fields, format: JSON_FILE, ...(hasLabels && { labels }) }, place),
    };
  }
}

/** `web-*`, `label:team`, `label:team=a*`. */
function matcherOf(text: string): (container: DockerContainer) => boolean {
  if (!text.startsWith(LABEL)) {
    const matches = matcherOfNames(text);
    return ({ name }) => matches(name);
  }
  const [label = '', ...value] = text.slice(LABEL.length).split('=');
  const isName = matcherOfNames(label);
  const isValue = matcherOfNames(value.length === 0 ? '*' : value.join('='));
  const isAny = value.length === 0;
  return ({ labels }) => Object.entries(labels).some(([name, of]) => isName(name) && (isAny || isValue(of)));
}

/** Null where there is none. No link is followed. */
async function configOf(folder: string): Promise<string | null> {
  try {
    await using file = await open(join(folder, 'config.v2.json'), constants.O_RDONLY | constants.O_NOFOLLOW);
    const { size } = await file.stat();
    return size > CONFIG_BYTES_MAX ? '' : await file.readFile('utf8');
  } catch {
    return null;
  }
}
