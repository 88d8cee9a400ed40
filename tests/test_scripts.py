"""The page about code outside a request: its modules work as they stand, each for one user."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from hooks.rendering import ROOT, render
from tests.documents import section, steps
from tests.projects import UV, Project, project_environment
from tests.servers import running

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("scripts")]

PAGE = (ROOT / "docs/scripts.md").read_text("utf-8")
MODULE = re.compile(r"^`(app/\w+\.py)`:\n\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
URL = """
from pathlib import Path
from kit.dev.postgres import Server

print(Server(Path(".postgres")).url())
"""


@pytest.fixture
def project(template: Path, shared: Path, folder: Path) -> Project:
    project = Project(render(template, folder / "todo", {}), project_environment(shared))
    for path, source in MODULE.findall(PAGE):
        (project.root / path).write_text(source, "utf-8")
    project.sync()
    return project


def test_the_modules_of_the_page_act_for_their_user_alone(project: Project) -> None:
    for command in ("ruff check", "ruff format --check", "mypy"):
        project.uv_run(*command.split(), "app", "tests")
    dev = [UV, "run", "--no-sync", "dev", "--port", "{port}"]
    with running(dev, project.root, project.environment, "X-User-ID") as server:
        settings = {
            "DATABASE_URL": project.uv_run("python", "-c", URL).strip(),
            "USER_ID_HEADER": "X-User-ID",
        }
        here = replace(project, environment={**project.environment, **settings})
        server.add("bob", "Buy milk")

        (seed,) = steps(section(PAGE, "Run code for a user"))
        seed.take(here)
        assert server.tasks("alice") == ["Write a task of your own", "Look around"]

        (forget,) = steps(section(PAGE, "Delete all that a user has"))
        forget.take(here)
        assert server.tasks("alice") == []
        assert server.tasks("bob") == ["Buy milk"]
