"""What a team writes into its models goes through Alembic, in a copy of the project."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kit.database_url import parse_url
from kit.migrations import pending
from kit.testing.invariants import fill
from kit.testing.servers import migrate
from sqlalchemy import Connection, NullPool, create_engine, inspect, text

KINDS = """
    due: date | None = None
    price: Decimal = Field(
        default=0, max_digits=10, decimal_places=2, sa_column_kwargs={"server_default": "0"}
    )
    number: int = Field(default=None, sa_column_args=[Identity()])
    state: State = Field(
        default="open", sa_type=String(20), sa_column_kwargs={"server_default": "open"}
    )
    tags: list[str] = Field(
        default_factory=list, sa_type=ARRAY(String(50)), sa_column_kwargs={"server_default": "{}"}
    )
    plain: dict[str, Any] = Field(
        default_factory=dict, sa_type=JSON, sa_column_kwargs={"server_default": "{}"}
    )
    binary: dict[str, Any] = Field(
        default_factory=dict, sa_type=JSONB, sa_column_kwargs={"server_default": "{}"}
    )
"""
IMPORTS = """
from datetime import date
from decimal import Decimal
from typing import Any, Literal, get_args

from kit.models import Owned
from sqlalchemy import CheckConstraint, Identity, JSON, String
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

State = Literal["open", "done"]
"""
CHECK = 'CheckConstraint(f"state IN {get_args(State)}"),'
OTHER = """
class Other(Owned, table=True):
    __table_args__ = ({})
    {}


class Counted(SQLModel, table=True):
    serial: int | None = Field(default=None, primary_key=True)
"""


class Copy:
    """A copy of the project's code, with a database of its own."""

    def __init__(self, root: Path, database_url: str) -> None:
        self.root, self.database_url = root, database_url
        self.models = root / "app/tasks/models.py"
        shutil.copytree("app", root / "app", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy("pyproject.toml", root)

    def edit(self, old: str, new: str) -> None:
        code = self.models.read_text("utf-8")
        assert old in code
        self.models.write_text(code.replace(old, new), "utf-8")

    def alembic(self, *commands: str) -> None:
        """Run commands of `alembic.command`, in one process, to success."""
        lines = ["from alembic import command as c", "from alembic.config import Config"]
        lines += ['config = Config(toml_file="pyproject.toml")']
        lines += [f"c.{command}" for command in commands]
        self.run("-c", "\n".join(lines))

    def difference(self, *commands: str) -> str:
        """What `alembic check` finds after the commands."""
        with pytest.raises(AssertionError) as found:
            self.alembic(*commands, CHECKS)
        return str(found.value)

    def run(self, *arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.root,
            env={"DATABASE_URL": self.database_url, "MYPY_CACHE_DIR": str(CACHE)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        engine = create_engine(parse_url(self.database_url), poolclass=NullPool)
        with engine.connect() as connection:
            yield connection
            connection.commit()


CACHE = Path(os.environ.get("MYPY_CACHE_DIR", ".mypy_cache")).absolute()
UPGRADE, CHECKS = 'upgrade(config, "head")', "check(config)"
AUTOGENERATE = 'revision(config, "x", autogenerate=True)'
ROUND = (UPGRADE, CHECKS, 'downgrade(config, "-1")', UPGRADE, CHECKS)


@pytest.fixture
def copy(tmp_path: Path, empty_database: str) -> Copy:
    return Copy(tmp_path, empty_database)


def add_kinds(copy: Copy) -> None:
    copy.edit("from uuid import UUID\n", f"{IMPORTS}\nfrom uuid import UUID\n")
    copy.edit("class TaskBase(SQLModel):\n", f"class TaskBase(SQLModel):\n{KINDS}")
    copy.edit("__table_args__ = (", f"__table_args__ = ({CHECK}")
    copy.edit("class TaskPage", f"{OTHER.format(CHECK, KINDS.strip())}\n\nclass TaskPage")


def test_columns_of_every_kind_go_through_on_an_old_and_on_a_new_table(copy: Copy) -> None:
    copy.alembic(UPGRADE)
    add_kinds(copy)
    copy.alembic(AUTOGENERATE, *ROUND)
    for command in (["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]):
        copy.run("-m", *command, "app/migrations")


def test_a_check_is_compared_and_its_name_is_the_one_that_drops_it(copy: Copy) -> None:
    add_kinds(copy)
    copy.alembic(UPGRADE, AUTOGENERATE, UPGRADE)
    copy.edit('["open", "done"]', '["open", "done", "late"]')
    copy.alembic(AUTOGENERATE, *ROUND, 'revision(config, "drop")')
    with copy.connect() as connection:
        (found,) = inspect(connection).get_check_constraints("other")
    assert "'late'" in found["sqltext"]
    (file,) = copy.root.glob("app/migrations/versions/*_drop.py")
    drop = f'from alembic import op\n    op.drop_constraint("{found["name"]}", "other")'
    file.write_text(file.read_text("utf-8").replace("pass", drop, 1), "utf-8")
    assert "add_constraint" in copy.difference(UPGRADE)


@pytest.mark.parametrize(
    ("old", "new", "difference"),
    [
        ("Field(max_length=200", "Field(max_length=300", "length=300"),
        (
            "completed: Completed = False",
            'completed: Completed = Field(False, sa_column_kwargs={"server_default": "false"})',
            "modify_default",
        ),
        (
            "completed: Completed = False",
            "completed: int = 0",
            "modify_type",
        ),
    ],
)
def test_a_changed_limit_default_or_type_is_seen(
    copy: Copy, database_url: str, old: str, new: str, difference: str
) -> None:
    copy.database_url = database_url
    copy.edit(old, new)
    assert difference in copy.difference()


def test_tables_without_a_model_are_left_alone_with_all_that_is_theirs(copy: Copy) -> None:
    copy.alembic(UPGRADE)
    with copy.connect() as connection:
        connection.execute(
            text("""
                CREATE TABLE job (
                    id serial PRIMARY KEY, name text UNIQUE CHECK (name <> ''), user_id text,
                    task_id uuid, FOREIGN KEY (user_id, task_id) REFERENCES task (user_id, id)
                );
                CREATE INDEX ON job (lower(name));
            """)
        )
    copy.alembic(CHECKS, AUTOGENERATE)
    (file,) = copy.root.glob("app/migrations/versions/*_x.py")
    assert file.read_text("utf-8").count("    pass\n") == 2


def test_a_model_that_is_gone_takes_the_references_to_it_along(copy: Copy) -> None:
    """Its table stays until a line of the team's own drops it."""
    project = "class Project(Owned, table=True):\n    pass\n\n\n"
    column = "    project_id: UUID | None = None\n"
    reference = 'ForeignKeyConstraint(["user_id", "project_id"], ["project.user_id", "project.id"])'
    before = copy.models.read_text("utf-8")
    copy.edit("import Field, ", "import Field, ForeignKeyConstraint, ")
    copy.edit("class Task(", f"{project}class Task(")
    copy.edit("class TaskBase(SQLModel):\n", f"class TaskBase(SQLModel):\n{column}")
    copy.edit("__table_args__ = (", f"__table_args__ = ({reference}, ")
    copy.alembic(UPGRADE, AUTOGENERATE, UPGRADE)
    copy.models.write_text(before, "utf-8")
    copy.alembic('revision(config, "gone", autogenerate=True)', *ROUND)
    (file,) = copy.root.glob("app/migrations/versions/*_gone.py")
    assert "fk_task_user_id_project_id_project" in file.read_text("utf-8")
    assert 'drop_table("project")' not in file.read_text("utf-8")
    with copy.connect() as connection:
        assert inspect(connection).has_table("project")


TASKS = """INSERT INTO task (user_id, id, title, description, completed)
SELECT 'alice', gen_random_uuid(), 'Buy milk', '', false FROM generate_series(1, 2)"""


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            "class TaskBase(SQLModel):",
            "class TaskBase(SQLModel):\n    urgent: bool",
            'column "urgent" of relation "task" contains null values. Change the rows',
        ),
        (
            "unique(",
            'unique("title"), unique(',
            'could not create unique index "uq_task_user_id_title". Change the rows',
        ),
        (
            "max_length=200",
            "max_length=7",
            "value too long for type character varying(7). Change the rows",
        ),
    ],
)
def test_rows_that_stop_a_revision_are_said_in_one_line(
    copy: Copy, old: str, new: str, reason: str
) -> None:
    copy.alembic(UPGRADE)
    with copy.connect() as connection:
        stored = connection.execute(text(TASKS)).rowcount
    copy.edit(old, new)
    copy.alembic(AUTOGENERATE)
    with pytest.raises(AssertionError) as stopped:
        copy.alembic(UPGRADE)
    said = [line.strip() for line in str(stopped.value).splitlines()]
    assert [line for line in said if line.startswith(reason)]
    assert "Traceback" not in str(stopped.value)
    with copy.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM task")) == stored


def test_equal_empty_and_odd_messages_are_as_many_files_and_one_head(copy: Copy) -> None:
    long = "as long as forty characters, and longer: "
    odd = ['say "hi"', "a\\d", '"""', "two\nlines", "${x} % {{ }}", "../../up"]
    messages = ["", "", "same", "same", f"{long}a", f"{long}b", *odd]
    versions = copy.root / "app/migrations/versions"
    before = set(versions.glob("*.py"))
    copy.alembic(
        *(f"revision(config, {message!r})" for message in messages),
        UPGRADE,
        'upgrade(config, "head")',
    )
    written = set(versions.glob("*.py")) - before
    assert len(written) == len(messages)
    time_and_id = r"\d{4}_\d\d_\d\d_\d{4}_[0-9a-f]{12}_.*"
    assert all(re.fullmatch(time_and_id, file.stem) for file in written)
    copy.run("-m", "ruff", "check", "app/migrations")
    copy.run("-m", "ruff", "format", "--check", "app/migrations")


def test_what_is_pending_is_named_with_the_command(database_url: str, empty_database: str) -> None:
    assert pending(parse_url(database_url)) == ""
    command, first, *_ = pending(parse_url(empty_database)).splitlines()
    assert command.endswith("Run: uv run alembic upgrade head")
    assert first == "  774f87b22312 create task"


def test_a_database_that_cannot_be_reached_is_one_line() -> None:
    with pytest.raises(SystemExit) as refused:
        migrate("postgresql://user:secret@127.0.0.1:1/todo")
    (line,) = str(refused.value).splitlines()
    assert line.startswith("The database cannot be reached: connection to server")
    assert "secret" not in line


def test_a_database_that_is_away_or_ahead_is_said_in_one_line(empty_database: str) -> None:
    away = pending(parse_url("postgresql://user:secret@127.0.0.1:1/todo"))
    assert away.startswith("It is not known which revisions are pending: connection to server")
    engine = create_engine(parse_url(empty_database), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version AS SELECT 'f00' AS version_num"))
    ahead = pending(parse_url(empty_database))
    assert "f00" in ahead
    assert len((away + ahead).splitlines()) == 1
    assert "secret" not in away


MADE_UP = {
    "plain": "n numeric NOT NULL, at timestamptz NOT NULL, day date NOT NULL, done bool NOT NULL",
    "nested": "doc jsonb NOT NULL, tags text[] NOT NULL",
    "counted": "n integer GENERATED ALWAYS AS IDENTITY, name varchar(5) NOT NULL",
    "searched": "words tsvector NOT NULL",
    "checked": "status text NOT NULL CHECK (status = 'open')",
}


def test_rows_are_made_up_where_they_can_be(empty_database: str) -> None:
    engine = create_engine(parse_url(empty_database), poolclass=NullPool)
    with engine.connect() as connection:
        for name, columns in MADE_UP.items():
            connection.execute(text(f"CREATE TABLE {name} (id uuid PRIMARY KEY, {columns})"))
        fill(connection)
        fill(connection)
        counts = {
            name: connection.scalar(text(f"SELECT count(*) FROM {name}"))  # noqa: S608 - ours
            for name in MADE_UP
        }
    assert counts == {"plain": 1, "nested": 1, "counted": 1, "searched": 0, "checked": 0}
