"""From nothing to the first task: the commands are run as they are shown."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT

from hooks.rendering import snapshot
from tests import readme
from tests.documents import COMMANDS
from tests.neon.programs import until
from tests.projects import Project, passable_folder, project_environment
from tests.servers import Server, running

HEADER = "X-User-ID"
RENDER, _, START = readme.START_WITH_UV.partition(" && ")
LIST = f"curl -s -H '{HEADER}: bob' {{url}}/api/v1/tasks"
CREATE = (
    f"curl -s -H '{HEADER}: alice' -H 'Content-Type: application/json' \\\n"
    """    -d '{{"title": "Buy milk"}}' {url}/api/v1/tasks"""
)

DEFAULT_URL = "http://127.0.0.1:8000"
CUT = "…"


@dataclass(frozen=True)
class Entry:
    command: str
    output: str


@dataclass(frozen=True)
class Session:
    shell: Project
    server: Server
    rendered: str
    banner: str

    def panes(self) -> tuple[list[Entry], list[Entry]]:
        """The terminal in which the server runs, and one beside it."""
        rendering = self._entry(RENDER, _end(self.rendered))
        start = self._entry(START, f"{CUT}\n{self.banner}")
        commands = [each.format(url=self.server.url) for each in (CREATE, LIST)]
        return [rendering, start], [self._entry(each, _run(self.shell, each)) for each in commands]

    def _entry(self, command: str, output: str) -> Entry:
        """As a reader sees it: on the default port, and not as root."""
        shown = (text.replace(self.server.url, DEFAULT_URL) for text in (command, output))
        return Entry(*(re.sub(r"kit-pg-\d+", "kit-pg-1000", text) for text in shown))


@contextmanager
def session() -> Iterator[Session]:
    """Render the working tree beside a copy of it, and run what was rendered."""
    with passable_folder() as folder:
        shell = _shell(folder)
        rendered = _run(shell, RENDER)
        Project(folder / "todo", shell.environment).sync()
        start = f"{COMMANDS}\nexport PORT={{port}}\n{{ {START}; }} > ../banner"
        with running(["bash", "-euc", start], shell.root, shell.environment, HEADER) as server:
            banner = folder / "banner"
            until(lambda: banner.read_text("utf-8"))  # which may come after the first answer
            try:
                yield Session(shell, server, rendered, banner.read_text("utf-8"))
            finally:
                server.signal(SIGINT)


def _shell(folder: Path) -> Project:
    return Project(snapshot(folder / "template"), project_environment(folder))


def _run(shell: Project, command: str) -> str:
    return shell.run("bash", "-euc", f"{COMMANDS}\n{command}")


def _end(rendered: str) -> str:
    """Without the list of files, and without what is said about git."""
    _, ready, commands, *_ = rendered.split("\n\n")
    return f"{CUT}\n{ready.strip()}\n\n{commands}\n{CUT}"
