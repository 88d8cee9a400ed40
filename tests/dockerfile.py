"""A Dockerfile's steps, run in a folder: it takes no container engine and no registry of images.

What that cannot show is the base image, and the steps as another user.
"""

import json
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from string import Template


@dataclass
class Image:
    root: Path  # the container's `/`
    folder: str = "/"
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": "/usr/bin:/bin"})
    metadata: dict[str, str] = field(default_factory=dict)

    def at(self, path: str) -> Path:
        return self.root / PurePosixPath(self.folder, path).relative_to("/")

    @property
    def command(self) -> list[str]:
        return list(json.loads(self.metadata["CMD"]))

    @property
    def health_check(self) -> list[str]:
        return list(json.loads(self.metadata["HEALTHCHECK"].partition(" CMD ")[2]))


def build(context: Path, root: Path, environment: Mapping[str, str]) -> Image:
    """Run `context/Dockerfile`. The environment is this machine's, for the RUN steps."""
    image, name = Image(root), ""
    stages: dict[str, Path] = {}
    for instruction, text in _instructions(context / "Dockerfile"):
        match instruction:
            case "FROM":
                if root.exists():  # an environment works only in the place where it was made
                    stages[name] = root.rename(root.with_name(name))
                image, name = Image(root), text.partition(" AS ")[2]
            case "WORKDIR":
                image.folder = text
                image.at(".").mkdir(parents=True)
            case "COPY":
                _copy(image, context, stages, text.split())
            case "RUN":
                subprocess.run(shlex.split(text), cwd=image.at("."), env=environment, check=True)
            case "ENV":
                variable, _, value = text.replace("/app/", f"{root}/app/").partition("=")
                image.environment[variable] = Template(value).substitute(image.environment)
            case _:
                image.metadata[instruction] = text
    return image


def _instructions(file: Path) -> Iterator[tuple[str, str]]:
    for line in file.read_text("utf-8").replace("\\\n", "").splitlines():
        if line and not line.startswith("#"):
            instruction, _, text = line.partition(" ")
            yield instruction, text


def _copy(image: Image, context: Path, stages: Mapping[str, Path], words: list[str]) -> None:
    *sources, destination = words
    kept_back: set[str] = set()
    if sources[0].startswith("--from="):
        context = stages[sources.pop(0).removeprefix("--from=")]
    else:
        sent, kept_back = _rules(context)
        assert set(sources) <= sent, "the Dockerfile copies what .dockerignore keeps back"

    def ignored(folder: str, names: list[str]) -> set[str]:
        paths = {name: Path(folder, name).relative_to(context) for name in names}
        return {name for name in names if any(paths[name].match(rule) for rule in kept_back)}

    for source in sources:
        origin, target = context / source.lstrip("/"), image.at(destination)
        if origin.is_dir():
            shutil.copytree(origin, target, symlinks=True, ignore=ignored)
        else:
            shutil.copy(origin, target)


def _rules(context: Path) -> tuple[set[str], set[str]]:
    """What `.dockerignore` lets through, and what it keeps back of that.

    It refuses everything, then names the exceptions, then what is none of them.
    """
    lines = (context / ".dockerignore").read_text("utf-8").splitlines()
    rules = [line for line in lines if not line.startswith("#")]
    assert rules[0] == "*"
    sent = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    return sent, {rule for rule in rules[1:] if not rule.startswith("!")}
