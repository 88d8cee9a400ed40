"""What an OpenAPI document leaves undescribed, for people in `/docs` and for programs."""

from collections.abc import Iterator
from typing import Any

Document = dict[str, Any]


def operations(document: Document) -> Iterator[tuple[str, Document]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def undescribed(document: Document) -> list[str]:
    """The names of all parts of the document that have no description of their own."""
    return [
        name
        for name, part in parts(document)
        if part.get("description", "Successful Response") == "Successful Response"
    ]


def parts(document: Document) -> Iterator[tuple[str, Document]]:
    components = document["components"]
    tags = {tag["name"]: tag for tag in document.get("tags", [])}
    yield from components["securitySchemes"].items()
    for name, operation in operations(document):
        yield name, operation
        yield from ((tag, tags.get(tag, {})) for tag in operation["tags"])
        yield from ((f"{name}: {each['name']}", each) for each in operation.get("parameters", ()))
        yield from ((f"{name}: {s}", response) for s, response in operation["responses"].items())
    for name, schema in components["schemas"].items():
        yield name, schema
        yield from ((f"{name}.{key}", member) for key, member in schema["properties"].items())
