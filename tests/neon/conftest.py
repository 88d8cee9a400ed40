from collections.abc import Iterator
from pathlib import Path

import pytest

from hooks.rendering import render
from tests.neon import pgbouncer, postgres
from tests.neon.certificates import Authority, Certificate
from tests.neon.postgres import Postgres
from tests.neon.programs import PGBOUNCER, POSTGRES
from tests.neon.service import upgrade
from tests.projects import Project, passable_folder, project_environment

POOLED_HOST = "ep-todo-pooler.c-2.us-west-2.aws.neon.tech"
DIRECT_HOST = "ep-todo.c-2.us-west-2.aws.neon.tech"


@pytest.fixture(scope="package")
def folder() -> Iterator[Path]:
    with passable_folder() as folder:
        yield folder


@pytest.fixture(scope="package")
def project(template: Path, folder: Path) -> Project:
    project = Project(render(template, folder / "project", {}), project_environment(folder))
    project.sync()
    return project


@pytest.fixture(scope="package")
def authority(folder: Path) -> Authority:
    return Authority(folder / "certificates")


@pytest.fixture(scope="package")
def certificate(authority: Authority) -> Certificate:
    """For no host name but Neon's: `localhost` is a wrong one."""
    return authority.issue("127.0.0.1", POOLED_HOST, DIRECT_HOST)


@pytest.fixture(scope="package")
def server(folder: Path, certificate: Certificate) -> Iterator[Postgres]:
    """Debian's PostgreSQL, with TLS and passwords."""
    if not POSTGRES:
        pytest.skip("needs PostgreSQL with TLS: apt-get install postgresql")
    with postgres.running(POSTGRES, folder / "postgres", certificate) as running:
        yield running


@pytest.fixture(scope="package")
def bouncer(
    folder: Path, server: Postgres, certificate: Certificate, authority: Authority
) -> Iterator[int]:
    """The port of a PgBouncer before the server."""
    if not PGBOUNCER:
        pytest.skip("needs PgBouncer: apt-get install pgbouncer")
    home = folder / "pgbouncer"
    with pgbouncer.running(home, server, certificate, authority.certificate) as port:
        yield port


@pytest.fixture(scope="module")
def database(server: Postgres, project: Project) -> str:
    """One with the schema, of an owner as Neon's are."""
    name = server.create_database()
    upgrade(project, server.url(name))
    return name


@pytest.fixture(scope="module")
def url(server: Postgres, database: str) -> str:
    return server.url(database)
