"""Valid bodies for any operation, as OpenAPI describes them."""

from typing import Any

TYPES: dict[str, object] = {"boolean": True, "integer": 1, "number": 1.5, "array": [], "object": {}}
FORMATS: dict[str, object] = {
    "date": "2030-01-02",
    "date-time": "2030-01-02T03:04:05Z",
    "uuid": "0199b2c4-8f7e-7c3a-9d51-3f0a6b1c2d4e",
}


def sample_body(document: dict[str, Any], method: str, path: str) -> dict[str, Any] | None:
    """Every property of the operation's body, or None where it takes none.

    Where a made-up value is not valid, give the field `schema_extra={"examples": [...]}`.
    """
    operation = document["paths"][path][method.lower()]
    if "requestBody" not in operation:
        return None
    schema = _resolve(document, operation["requestBody"]["content"]["application/json"]["schema"])
    return {name: _value(document, field) for name, field in schema["properties"].items()}


def _resolve(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return document["components"]["schemas"][name] if name else schema


def _value(document: dict[str, Any], schema: dict[str, Any]) -> object:
    schema = _resolve(document, schema)
    for given in ("examples", "enum"):
        if given in schema:
            return schema[given][0]
    if "anyOf" in schema:
        return _value(document, schema["anyOf"][0])
    return FORMATS.get(schema.get("format", "")) or TYPES.get(schema["type"], "sample")
