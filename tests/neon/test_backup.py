"""Back up, restore and backfill, by the commands of the page, for every kind of owner."""

import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import pytest

from hooks.rendering import ROOT
from tests.documents import Step, section, steps
from tests.neon import postgres
from tests.neon.postgres import Postgres, users_of
from tests.neon.programs import POSTGRES
from tests.neon.service import HEADER, upgrade
from tests.neon.test_migrations import embedded
from tests.projects import Project

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("neon-setup")]

PAGE = (ROOT / "docs/operate.md").read_text("utf-8")
DUMP, RESTORE, RESTORE_ALL = steps(section(PAGE, "Back up and restore"))
(BACKFILL,) = re.findall(r"(?ms)^```python\n(.*?)^```$", section(PAGE, "Backfill"))

OWNERS = {
    "superuser": ("debian", "SUPERUSER"),
    "least": ("debian", "CREATEROLE"),
    "Neon's": ("embedded", "CREATEROLE BYPASSRLS"),
}
ROWS = {"alice": 3, "bob": 1}
INSERT = """
    INSERT INTO task (user_id, id, title, description, completed)
    SELECT %s, gen_random_uuid(), 'x', '', n = 1 FROM generate_series(1, %s) AS n
"""
COUNT = "SELECT user_id, count(*) FROM task GROUP BY user_id"
SUM = "SELECT user_id, sum(priority) FROM task GROUP BY user_id"


@dataclass(frozen=True)
class Place:
    """A database, and the tools of the version of its server."""

    server: Postgres
    database: str
    owner: str

    @property
    def url(self) -> str:
        return self.server.url(self.database, user=self.owner)

    def take(self, step: Step, project: Project) -> str:
        """Take the step of the page, with this database."""
        environment = {
            **project.environment,
            "PATH": f"{self.server.programs}:{project.environment['PATH']}",
            "DATABASE_URL": self.url,
            "DATABASE_URL_UNPOOLED": self.url,
            "USER_ID_HEADER": HEADER,
        }
        return step.take(replace(project, environment=environment))

    def rows(self, role: str, user: str = "") -> dict[str, int]:
        """How many rows of whom a role sees, for a user."""
        with self.server.session(self.database) as session:
            session.execute(f'SET ROLE "{role}"')
            session.execute("SELECT set_config('app.user_id', %s, false)", [user])
            session.execute(COUNT)
            return dict(session.fetchall())


@pytest.fixture(scope="module")
def clusters(project: Project, folder: Path) -> Iterator[dict[str, list[Postgres]]]:
    """Two of each version."""
    if not POSTGRES:
        pytest.skip("needs Debian's PostgreSQL: apt-get install postgresql")
    versions = {"debian": POSTGRES, "embedded": embedded(project)}
    with ExitStack() as running:
        yield {
            version: [
                running.enter_context(postgres.running(programs, folder / uuid4().hex))
                for _ in range(2)
            ]
            for version, programs in versions.items()
        }


@pytest.fixture(scope="module", params=OWNERS)
def places(
    request: pytest.FixtureRequest, project: Project, clusters: dict[str, list[Postgres]]
) -> tuple[Place, Postgres]:
    """A service's database, already dumped, of an owner of each kind, and another cluster."""
    version, rights = OWNERS[request.param]
    owner = f"owner_{uuid4().hex}"
    for server in clusters[version]:
        server.create_role(owner, f"LOGIN {rights}")
    here, elsewhere = clusters[version]
    source = Place(here, here.create_database(owner), owner)
    upgrade(project, source.url)
    with here.session(source.database) as session:
        session.executemany(INSERT, list(ROWS.items()))
    source.take(DUMP, project)
    return source, elsewhere


@pytest.mark.parametrize("step", [RESTORE, RESTORE_ALL], ids=["without roles", "with roles"])
@pytest.mark.parametrize("cluster", ["same", "another"])
def test_the_commands_of_the_page_restore_every_users_rows(
    project: Project, places: tuple[Place, Postgres], cluster: str, step: Step
) -> None:
    source, elsewhere = places
    server = source.server if cluster == "same" else elsewhere
    restored = replace(source, server=server, database=server.create_database(source.owner))
    said = restored.take(step, project)
    assert ("reaches the tables of this code, with row security." in said) == (step is RESTORE)
    assert_right(restored)
    # Only the role that does not exist is complained about, and only if it is asked for.
    old = users_of(source.database)
    complains = step is RESTORE_ALL and cluster == "another"
    complaints = set(re.findall("pg_restore: error: .*ERROR:  (.*)", said))
    assert complaints == ({f'role "{old}" does not exist'} if complains else set())
    if cluster == "same":
        assert_unreachable(restored, old)


def assert_right(place: Place) -> None:
    """The owner sees every row, and each user exactly their own."""
    assert place.rows(place.owner) == ROWS
    for user, count in ROWS.items():
        assert place.rows(users_of(place.database), user) == {user: count}


def assert_unreachable(place: Place, role: str) -> None:
    with place.server.session(place.database) as session:
        rights = "has_database_privilege(%s, current_database(), 'CONNECT')"
        session.execute(
            f"SELECT {rights}, has_any_column_privilege(%s, 'task', 'SELECT')", [role, role]
        )
        assert session.fetchall() == [(False, False)]


REVISION = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "backfill", "774f87b22312"


def upgrade() -> None:
    {}
    op.execute("DELETE FROM task WHERE completed")
    op.execute("CREATE TABLE copy AS TABLE task")
"""


def test_a_migration_changes_every_row(
    project: Project, places: tuple[Place, Postgres], folder: Path
) -> None:
    source, _ = places
    changed = replace(project, root=folder / uuid4().hex)
    shutil.copytree(project.root, changed.root)
    revision = REVISION.format(BACKFILL.replace("\n", "\n    "))
    (changed.root / "app/migrations/versions/backfill.py").write_text(revision)
    upgrade(changed, source.url)
    left = {user: count - 1 for user, count in ROWS.items() if count > 1}
    for query in (SUM, SUM.replace("task", "copy")):
        with source.server.session(source.database) as session:
            session.execute(query)
            assert dict(session.fetchall()) == left
