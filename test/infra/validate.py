# Validates Kubernetes manifests without a cluster: core kinds by the schemas that the package kubernetes-validate carries, others by
# the custom resource definitions that are given. Unknown fields are mistakes in both.
#   validate.py KUBERNETES_VERSION MANIFESTS [CRD…]      prints a line for each mistake; exit 1 if there is any
import sys

import jsonschema
import kubernetes_validate
import yaml


def strict(schema):
    """The schema with unknown fields forbidden, but for those that it keeps as they are."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: strict(value) for key, value in schema.items()}
    if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields") and "additionalProperties" not in schema:
        made["additionalProperties"] = False
    if schema.get("x-kubernetes-int-or-string"):
        made.pop("type", None)
    return made


def custom_schemas(files):
    schemas = {}
    for file in files:
        for definition in yaml.safe_load_all(open(file)):
            spec = definition["spec"]
            for version in spec["versions"]:
                schema = strict(version["schema"]["openAPIV3Schema"])
                # Every object has these; the definitions leave them open.
                schema["properties"]["metadata"] = {"type": "object"}
                schemas[f'{spec["group"]}/{version["name"]}', spec["names"]["kind"]] = schema
    return schemas


def mistakes(document, version, schemas):
    custom = schemas.get((document["apiVersion"], document["kind"]))
    try:
        if custom is None:
            kubernetes_validate.validate(document, version, strict=True)
        else:
            jsonschema.Draft202012Validator(custom).validate(document)
    except jsonschema.ValidationError as error:
        yield f'{document["kind"]} {document["metadata"]["name"]}: {"/".join(map(str, error.absolute_path))}: {error.message}'
    except kubernetes_validate.SchemaNotFoundError as error:
        yield f'{document["kind"]} {document["metadata"]["name"]}: {error}'


version, manifests, *definitions = sys.argv[1:]
schemas = custom_schemas(definitions)
documents = [document for document in yaml.safe_load_all(open(manifests)) if document]
found = [mistake for document in documents for mistake in mistakes(document, version, schemas)]
print("\n".join([f"{len(documents)} documents", *found]))
sys.exit(1 if found or not documents else 0)
