"""`python -m kit.check` says what is right with a deployment, and what is not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.neon import postgres, proxy
from tests.neon.certificates import Authority, Certificate
from tests.neon.conftest import DIRECT_HOST, POOLED_HOST
from tests.neon.postgres import Postgres, users_of
from tests.neon.programs import POSTGRES
from tests.neon.proxy import Proxy
from tests.neon.service import check, upgrade
from tests.projects import Project

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("neon-setup")]

VERIFIED = "has TLS, and the server's certificate is verified."
NOT_VERIFIED = "has TLS, but the server's certificate is not verified: across a network, add"


@pytest.fixture(scope="module")
def neon(server: Postgres, certificate: Certificate) -> Iterator[Proxy]:
    with proxy.running(server.port, certificate) as neon:
        yield neon


def url_on_neon(
    host: str, neon: Proxy, server: Postgres, database: str, authority: Authority
) -> str:
    here = {"hostaddr": "127.0.0.1", "sslrootcert": str(authority.certificate)}
    return server.url(database, host=host, port=neon.port, sslmode="require", **here)


def test_all_is_right_with_a_pooled_url_of_neon(
    project: Project, neon: Proxy, server: Postgres, database: str, authority: Authority
) -> None:
    code, said = check(project, url_on_neon(POOLED_HOST, neon, server, database, authority))
    assert code == 0
    assert f"ok    DATABASE_URL {VERIFIED}" in said
    assert f"ok    The URL for migrations {VERIFIED}" in said
    assert "ok    DATABASE_URL reaches the tables of this code, with row security." in said
    first, *others = said.splitlines()
    assert first.startswith("note  Let only a gateway")
    assert {line[:2] for line in others} == {"ok"}


def test_the_direct_host_for_the_service_is_worth_a_note(
    project: Project, neon: Proxy, server: Postgres, database: str, authority: Authority
) -> None:
    code, said = check(project, url_on_neon(DIRECT_HOST, neon, server, database, authority))
    assert code == 0
    assert "note  DATABASE_URL is Neon's direct host: use the pooled one." in said


def test_the_pooled_host_for_migrations_fails(
    project: Project, neon: Proxy, server: Postgres, database: str, authority: Authority
) -> None:
    url = url_on_neon(POOLED_HOST, neon, server, database, authority)
    code, said = check(project, url, DATABASE_URL_UNPOOLED=url)
    assert code == 1
    assert "FAIL  DATABASE_URL_UNPOOLED is a pooled host: use the direct one." in said


@pytest.mark.parametrize(
    ("sslmode", "verdict"), [("disable", "has no TLS: across a network"), ("require", NOT_VERIFIED)]
)
def test_a_connection_that_others_could_read_is_worth_a_note(
    project: Project, server: Postgres, database: str, sslmode: str, verdict: str
) -> None:
    code, said = check(project, server.url(database, sslmode=sslmode))
    assert code == 0
    assert f"note  DATABASE_URL {verdict}" in said
    assert f"note  The URL for migrations {verdict}" in said


def test_a_role_without_the_rights_that_it_needs_fails_until_it_has_them(
    project: Project, server: Postgres, database: str
) -> None:
    users = users_of(database)
    server.create_role("stranger", "LOGIN")
    url = server.url(database, user="stranger")
    needed = {
        f'permission denied for database "{database}"': f"CONNECT ON DATABASE {database}",
        "The role stranger may not read alembic_version": "SELECT ON alembic_version",
        f"The role stranger may not become {users}": users,
    }
    for trouble, right in needed.items():
        code, said = check(project, url)
        assert code == 1
        assert trouble in said
        assert "Traceback" not in said
        remedy = f"GRANT {right} TO stranger"
        if "CONNECT" not in right:
            assert f". Run: {remedy}" in said
        with server.session(database) as dba:
            dba.execute(remedy)
    assert check(project, url)[0] == 0


def test_a_new_database_fails_until_it_is_migrated(project: Project, folder: Path) -> None:
    """On a new server there is no role for the users' statements either."""
    if not POSTGRES:
        pytest.skip("needs PostgreSQL: apt-get install postgresql")
    with postgres.running(POSTGRES, folder / "new") as server:
        url = server.url(server.create_database())
        code, said = check(project, url)
        assert code == 1
        another = "The schema does not match this code. Run: alembic upgrade head."
        assert f"FAIL  DATABASE_URL: {another}" in said
        assert "Traceback" not in said
        upgrade(project, url)
        assert check(project, url)[0] == 0


@pytest.mark.parametrize("trouble", ["port", "password", "silence"])
def test_a_database_out_of_reach_fails_in_one_line_without_the_password(
    project: Project, server: Postgres, database: str, trouble: str
) -> None:
    url = server.url(database)
    with proxy.running(server.port) as network:
        network.fall_silent()
        urls = {
            "port": server.url(database, port=1),
            "password": url.replace("%40", "%41", 1),
            "silence": server.url(database, port=network.port),
        }
        code, said = check(project, urls[trouble])
    assert code == 1
    assert "\nFAIL  DATABASE_URL does not work: " in said
    assert "Traceback" not in said
    assert len(said.splitlines()) == 2  # the first one is about the gateway
