"""Check that every question is used, and that every variable of the template is asked for."""

import sys
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, meta

from hooks.rendering import ROOT, configuration

_JINJA = Environment(  # noqa: S701 - it parses, and renders nothing
    extensions=["jinja2_ansible_filters.AnsibleCoreFiltersExtension"]
)
_COPIERS_OWN = {"_copier_answers", "_copier_conf", "_copier_operation", "_folder_name"}


def faults(root: Path) -> Iterator[str]:
    """One line for each fault of the template repository at `root`."""
    configured = configuration(root)
    questions = {name for name in configured if not name.startswith("_")}
    uses = {f"copier.yml: {key}": _variables(value) - {key} for key, value in configured.items()}
    for path in sorted((root / "template").rglob("*")):
        content = path.read_text("utf-8") if path.name.endswith(".jinja") else ""
        uses[str(path.relative_to(root))] = _variables([path.name, content])
    for place, names in uses.items():
        for name in sorted(names - questions - _COPIERS_OWN):
            yield f"{place}: {name} is no question"
    for name in sorted(questions.difference(*uses.values())):
        yield f"copier.yml: {name}: nothing uses it"


def _variables(value: object) -> set[str]:
    match value:
        case str():
            return meta.find_undeclared_variables(_JINJA.parse(value))
        case dict():
            return _variables(list(value.values()))
        case list():
            return set[str]().union(*map(_variables, value))
        case _:
            return set()


def main() -> int:
    found = list(faults(ROOT))
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
