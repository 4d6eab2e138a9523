// What the log may say of a document that the store refused. Elasticsearch's reasons quote the value that it could not
// parse. Others read, ship and keep the log than those who may read the events. The whole reason is in the dead letter.
// Pure.

/** Types of errors whose reason speaks of one document. */
const OF_DOCUMENTS =
  /^(?:document_parsing|mapper_parsing|strict_dynamic_mapping|x_content_parse|parsing|illegal_argument|input_coercion|number_format|date_time|date_time_parse)_exception(?=:)/;
const FIELD = /failed to parse field \[([\w.@-]{1,100})\] of type \[(\w{1,40})\]/;

/** The type of the error, and the field of the mapping where it names one. */
export function withoutValues(error: string): string {
  const type = OF_DOCUMENTS.exec(error)?.[0];
  if (type === undefined) return error;
  const [, field, kind] = FIELD.exec(error) ?? [];
  return field === undefined ? type : `${type}: field ${field} of type ${kind}`;
}
