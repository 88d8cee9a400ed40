"""The steps of a document: the commands and the changes in its code blocks."""

import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hooks.rendering import ROOT
from tests.projects import UV, Project

BLOCK = re.compile(r"^```(sh|diff)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# The project's environment is in place, and Copier is the one that is installed here.
COMMANDS = f"""
uv() {{
    if [ "$1" = run ]; then shift; set -- run --no-sync "$@"; fi
    command {shlex.quote(UV)} "$@"
}}
uvx() {{ shift; {shlex.quote(sys.executable)} -m copier "$@"; }}
"""


@dataclass(frozen=True)
class Step:
    language: str
    text: str

    def take(self, project: Project) -> str:
        """Take it in the project, and return what it printed."""
        if self.language == "diff":
            self._patch(project.root)
            return ""
        return project.run("bash", "-euc", f"{COMMANDS}\n{self.text}")

    def file(self, root: Path) -> Path:
        """The file that a `diff` changes."""
        return root / self.text.partition("\n")[0].removeprefix("--- ").strip()

    def _patch(self, root: Path) -> None:
        """Make the change of a `diff` block: `--- path`, then hunks that each begin with `@@`."""
        _, *hunks = re.split(r"^@@.*\n", self.text, flags=re.MULTILINE)
        file = self.file(root)
        source = file.read_text("utf-8")
        for hunk in hunks:
            lines = [(line[:1], line[1:]) for line in hunk.splitlines(keepends=True)]
            old = "".join(text for sign, text in lines if sign != "+")
            new = "".join(text for sign, text in lines if sign != "-")
            assert source.count(old) == 1, f"{file.name} has not this once:\n{old}"
            source = source.replace(old, new)
        file.write_text(source, "utf-8")


def steps(page: str) -> Iterator[Step]:
    for language, text in BLOCK.findall(page):
        yield Step(language, text)


def section(page: str, heading: str) -> str:
    """The text below a heading, without the sections inside it."""
    (found,) = re.findall(rf"^##+ {heading}\n(.*?)(?=^##+ |\Z)", page, re.MULTILINE | re.DOTALL)
    return str(found)


def authenticated(project: Project) -> Step:
    """Follow docs/authenticate.md in the project, to its last step, in the files that it has."""
    page = (ROOT / "docs/authenticate.md").read_text("utf-8")
    *changes, last = steps(page)
    for step in changes:
        if step.language != "diff" or step.file(project.root).exists():
            step.take(project)
    (identity,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (project.root / "app/identity.py").write_text(identity, "utf-8")
    (sentence,) = re.findall(r"^Delete the first two lines of .*?:", page, re.MULTILINE | re.DOTALL)
    files = [project.root / name for name in re.findall(r"`(.+?)`", sentence)]
    for file in filter(Path.exists, files):
        file.write_text("".join(file.read_text("utf-8").splitlines(keepends=True)[2:]), "utf-8")
    return last
