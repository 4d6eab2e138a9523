// The fixed pieces of a document's JSON, as bytes: keys with what opens their values, and flags. One ends where a value
// follows; those with a comma are whole members.

import { fragment } from '../../json/json-buffer.ts';

export const TIMESTAMP = fragment('{"@timestamp":');
export const MESSAGE = fragment('"message":');
export const STREAM = fragment('"stream":');
export const STDOUT = fragment('"stream":"stdout",');
export const STDERR = fragment('"stream":"stderr",');
export const LOG = fragment('"log":{');
export const LEVEL = fragment('"level":');
export const NOTHING = fragment('');
export const FLAGS = fragment('"flags":[');
export const MULTILINE = fragment('"multiline",');
export const PARTIAL = fragment('"partial",');
export const UNREAD = fragment('"unread",');
export const UNLIKELY_TIME = fragment('"unlikely_time",');
export const LONG_VALUE = fragment('"long_value",');
export const ORIGINAL = fragment('"original":');
export const CREATED = fragment(',"created":');
export const AS_TEXT = fragment(',"log":{"flags":["as_text"]},');
export const PARTIAL_AS_TEXT = fragment(',"log":{"flags":["partial","as_text"]},');
export const UNREAD_AS_TEXT = fragment(',"log":{"flags":["unread","as_text"]},');
export const TENANT = fragment('"tenant":{');
export const ID = fragment('"id":');
export const NAME = fragment('"name":');
export const KUBERNETES = fragment('"kubernetes":{');
export const LABELS = fragment('"labels":');
export const ANNOTATIONS = fragment('"annotations":');
export const NAMESPACE_LABELS = fragment('"namespace_labels":');
export const HOST = fragment('"host":{');
export const SERVICE = fragment('"service":{');
export const VERSION = fragment('"version":');
export const ATTRIBUTES = fragment('"attributes":{');
export const TIME = fragment('"fluentd.time":');
export const METADATA = fragment('"fluentd.metadata":');
export const DOCUMENT_END = fragment('}}');
