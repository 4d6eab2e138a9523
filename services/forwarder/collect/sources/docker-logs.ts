// `collect.docker` as a rule of files: which containers below Docker's folder are wanted, by the names and labels that
// their `config.v2.json` says, and what their lines are: those of the drivers `json-file` and `local`. The daemon is
// not asked: it may be down, or not yet up. Its own copies of what other drivers send (`container-cached.log`) are not
// read: they would come twice.
//
// Guarantee: what is said of a container is that of when its log was first seen, and is kept with its checkpoint: it is
// part of the names of its lines.

import { hash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { DockerRule } from '#shared/config/settings/container-rules.ts';
import { ContainerEntries } from '../../decode/containers/container-entries.ts';
import { JSON_FILE } from '../../decode/containers/container-line.ts';
import { LocalEntries } from '../../decode/containers/local-entries.ts';
import {
  containerIdOf,
  type DockerContainer,
  dockerContainerOf,
  fieldsOfContainer,
  folderOfContainer,
  isOfLocalDriver,
  labelsWithin,
  NOBODY,
  tagOfContainer,
} from '../../decode/containers/docker-container.ts';
import { fieldsOfFile } from '../../decode/files/line-entries.ts';
import { matcherOfTexts } from '../../decode/files/path-pattern.ts';
import type { SourceForm, SourceRule } from './source-form.ts';

const DOCKER_LOGS = '/var/lib/docker/containers';
const CONFIG_BYTES_MAX = 4 * 1024 * 1024;
/** Beyond, all are asked again: containers come and go. */
const KNOWN_MAX = 20_000;
const LABEL = 'label:';
const ROTATED = '{,.[0-9]*}';

/** `configOf`: the text of a container's config. */
export function dockerRule(rule: DockerRule, host: string, configOf = configIn): SourceRule {
  const { path = DOCKER_LOGS, from, max_bytes_per_second } = rule;
  return {
    include: [`${path}/*/*-json.log${ROTATED}`, `${path}/*/local-logs/container.log${ROTATED}`],
    ...(from !== undefined && { from }),
    ...(max_bytes_per_second !== undefined && { max_bytes_per_second }),
    form: new DockerForm(rule, host, { root: path, configOf }),
  };
}

interface KeptFacts extends DockerContainer {
  /** What it was chosen by: as long as that is the same, the container is wanted, whatever it is called by now. */
  readonly choice?: string;
}

class DockerForm implements SourceForm {
  readonly root: string;
  readonly #host: string;
  readonly #configOf: typeof configIn;
  readonly #isWanted: (container: DockerContainer) => boolean;
  /** Of what decides which containers are wanted; null: all are. */
  readonly #choice: string | null;
  readonly #isLabel: (name: string) => boolean;
  /** By path of the source: what is said of it; null: it is not wanted. */
  readonly #known = new Map<string, string | null>();

  constructor(
    { include, exclude = [], labels }: DockerRule,
    host: string,
    { root, configOf }: { readonly root: string; readonly configOf: typeof configIn },
  ) {
    this.root = root;
    this.#configOf = configOf;
    this.#host = host;
    const included = include?.map(matcherOf);
    const excluded = exclude.map(matcherOf);
    this.#isWanted = (container) =>
      (included?.some((matches) => matches(container)) ?? true) && !excluded.some((matches) => matches(container));
    const isChoosy = included !== undefined || excluded.length > 0;
    this.#choice = isChoosy ? hash('sha256', JSON.stringify([include, exclude])).slice(0, 16) : null;
    const chosen = labels?.map(matcherOfTexts);
    this.#isLabel = (name) => chosen?.some((matches) => matches(name)) ?? true;
  }

  async facts(source: string, kept: string): Promise<string | null> {
    const before = this.#known.get(source);
    if (before !== undefined) return before;
    if (containerIdOf(source) === null) return null;
    if (kept !== '' && (this.#choice === null || (JSON.parse(kept) as KeptFacts).choice === this.#choice)) return kept;
    const read = dockerContainerOf(await this.#config(folderOfContainer(source)));
    // The next walk asks again.
    if (read === null && this.#choice !== null)
      throw new Error('its config.v2.json does not say which container it is');
    const container = read ?? NOBODY;
    const labels = Object.fromEntries(Object.entries(container.labels).filter(([name]) => this.#isLabel(name)));
    const facts = this.#isWanted(container) ? JSON.stringify(this.#factsToKeep(container, labelsWithin(labels))) : null;
    if (read === null) return facts;
    if (this.#known.size >= KNOWN_MAX) this.#known.clear();
    this.#known.set(source, facts);
    return facts;
  }

  /** Empty where there is none. Rejects where the next walk may have it. */
  async #config(folder: string): Promise<string> {
    try {
      return await this.#configOf(folder);
    } catch (error) {
      if (error instanceof Error && 'code' in error && PASSING.includes(String(error.code))) throw error;
      return '';
    }
  }

  #factsToKeep(container: DockerContainer, labels: DockerContainer['labels']): KeptFacts {
    return { ...container, labels, ...(this.#choice !== null && { choice: this.#choice }) };
  }

  factsOf(source: string, facts: string): ReturnType<SourceForm['factsOf']> {
    const container = facts === '' ? NOBODY : (JSON.parse(facts) as DockerContainer);
    const id = containerIdOf(source) ?? '';
    const fields = { ...fieldsOfFile(source, this.#host), ...fieldsOfContainer(id, container) };
    const { labels } = container;
    const common = { fields, ...(Object.keys(labels).length > 0 && { labels }) };
    return {
      tag: tagOfContainer(source, container),
      root: this.root,
      newEntries: (_head, place) =>
        isOfLocalDriver(source)
          ? new LocalEntries(common, place)
          : new ContainerEntries({ ...common, format: JSON_FILE }, place),
    };
  }
}

/** `web-*`, `label:team`, `label:team=a*`. */
function matcherOf(text: string): (container: DockerContainer) => boolean {
  if (!text.startsWith(LABEL)) {
    const matches = matcherOfTexts(text);
    return ({ name }) => matches(name);
  }
  const [label = '', ...value] = text.slice(LABEL.length).split('=');
  const isName = matcherOfTexts(label);
  const isValue = matcherOfTexts(value.length === 0 ? '*' : value.join('='));
  const isAny = value.length === 0;
  return ({ labels }) => Object.entries(labels).some(([name, of]) => isName(name) && (isAny || isValue(of)));
}

const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** The file may well be there: who cannot open it now asks again. */
const PASSING = ['EMFILE', 'ENFILE', 'ENOMEM', 'EIO', 'EAGAIN', 'EINTR'];

/** Empty where there is none to read. No link is followed, no FIFO waited for, and what grows meanwhile is not read. */
async function configIn(folder: string): Promise<string> {
  await using file = await open(join(folder, 'config.v2.json'), FLAGS);
  const found = await file.stat();
  if (!found.isFile() || found.size > CONFIG_BYTES_MAX) return '';
  const { buffer, bytesRead } = await file.read(Buffer.alloc(found.size), { position: 0 });
  return buffer.toString('utf8', 0, bytesRead);
}
