"""The image that the Dockerfile describes: its steps as they stand, then the service in it."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from signal import SIGTERM

import httpx2
import pytest
import yaml

from hooks.rendering import render
from tests.dockerfile import Image, build
from tests.projects import UV, Project, passable_folder, project_environment, temporary_postgres
from tests.servers import running

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="uses signals"),
    pytest.mark.xdist_group("image"),
]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with passable_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def project(template: Path, folder: Path) -> Project:
    project = Project(render(template, folder / "project", {}), project_environment(folder))
    project.sync()
    return project


@pytest.fixture(scope="module")
def image(project: Project, folder: Path) -> Image:
    outside = {**project.environment, "PATH": f"{Path(UV).parent}:{os.environ['PATH']}"}
    del outside["UV_PROJECT_ENVIRONMENT"]
    return build(project.root, folder / "image", outside)


@pytest.fixture(scope="module")
def database_url(project: Project) -> Iterator[str]:
    with temporary_postgres(project) as url:
        yield url


def test_the_image_has_what_production_needs_and_nothing_else(image: Image) -> None:
    assert {path.name for path in image.at(".").iterdir()} == {".venv", "app", "pyproject.toml"}
    programs = {path.name for path in image.at(".venv/bin").iterdir()}
    assert {"alembic", "uvicorn"} <= programs
    assert not {"mypy", "pytest", "ruff"} & programs
    assert not list(image.root.rglob("*pgserver*"))
    (kit,) = image.root.rglob("site-packages/kit")
    assert not {"dev", "testing"} & {path.name for path in kit.iterdir()}
    size = sum(path.lstat().st_size for path in image.root.rglob("*") if path.is_file())
    assert size < 100e6


def test_the_image_does_not_run_as_root(image: Image) -> None:
    user, group = map(int, image.metadata["USER"].split(":"))  # Kubernetes cannot judge a name
    assert user > 0
    assert group > 0


def test_the_image_migrates_serves_is_healthy_and_stops(
    image: Image, project: Project, database_url: str
) -> None:
    services = yaml.safe_load((project.root / "compose.yaml").read_text("utf-8"))["services"]
    settings = {**services["app"]["environment"], "DATABASE_URL": database_url}

    def run(command: list[str], **others: str) -> int:
        environment = {**image.environment, **settings, **others}
        return subprocess.call(command, cwd=image.at("."), env=environment)

    assert run(services["migrate"]["command"]) == 0
    serve = ["env", "PORT={port}", *image.command]
    with running(
        serve, image.at("."), {**image.environment, **settings}, settings["USER_ID_HEADER"]
    ) as server:
        server.add("alice", "Buy milk")
        assert server.tasks("alice") == ["Buy milk"]
        assert server.tasks("bob") == []
        port = server.url.rpartition(":")[2]
        assert httpx2.get(f"http://[::1]:{port}/healthz").status_code == 200
        for proxy in ("http_proxy", "ALL_PROXY"):
            assert run(image.health_check, PORT=port, **{proxy: "http://127.0.0.1:1"}) == 0
        assert run(image.health_check, PORT=port, HOST="::1") == 0
        assert server.signal(SIGTERM) == -SIGTERM
    assert run(image.health_check, PORT=port) == 1


def test_the_image_listens_where_the_platform_says(image: Image) -> None:
    """What it runs by default, and with HOST and PORT, as the shell sees it."""
    (program, option, script) = image.command
    shown = [program, option, script.replace("exec uvicorn", "echo", 1)]
    for given, listens in {
        (): "--host --port 8000",
        ("PORT=9", "HOST=127.0.0.1"): "--host 127.0.0.1 --port 9",
    }.items():
        said = subprocess.check_output(["env", *given, *shown], env={"PATH": "/bin"}, text=True)
        assert " ".join(said.split()).startswith(f"app.main:app {listens} --http h11 ")
