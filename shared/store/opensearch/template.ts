// What `sluice setup` puts, as OpenSearch takes it. It knows neither `flattened` (its word is `flat_object`, which
// takes no options) nor index modes, and its data streams have no lifecycle of their own: see retention-policy.ts.
// Pure.

type Json = Readonly<Record<string, unknown>>;

const UNKNOWN_SETTINGS = ['index.mode'];

/** The content of a template of ours, component or index. */
export function openSearchContent(content: Json): Json {
  const { template, ...rest } = content;
  if (!isObject(template)) return content;
  const { settings, mappings, lifecycle: _, ...others } = template;
  return {
    ...rest,
    template: {
      ...others,
      ...(isObject(settings) && {
        settings: Object.fromEntries(Object.entries(settings).filter(([name]) => !UNKNOWN_SETTINGS.includes(name))),
      }),
      ...(isObject(mappings) && { mappings: openSearchFields(mappings) }),
    },
  };
}

function openSearchFields(mapping: Json): Json {
  if (mapping['type'] === 'flattened') return { type: 'flat_object' };
  const { properties } = mapping;
  if (!isObject(properties)) return mapping;
  const fields = Object.entries(properties).map(([name, field]) => [
    name,
    isObject(field) ? openSearchFields(field) : field,
  ]);
  return { ...mapping, properties: Object.fromEntries(fields) };
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
