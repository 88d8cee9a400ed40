import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine, inspect

from app.database_url import parse_url
from tests.conftest import MIGRATIONS, alembic_on, migrate


def test_there_is_one_head() -> None:
    heads = ScriptDirectory(str(MIGRATIONS)).get_heads()
    explanation = "Migrations with one parent, as after an update. Join them:"
    assert len(heads) == 1, f'{explanation} uv run alembic merge heads -m "merge heads"'


def test_the_migrations_make_the_schema_of_the_models(database_url: str) -> None:
    with alembic_on(database_url) as config:
        command.check(config)


def test_every_migration_goes_down_and_up_again(empty_database: str) -> None:
    migrate(empty_database)
    with alembic_on(empty_database) as config:
        command.downgrade(config, "base")
        assert tables(empty_database) == {"alembic_version"}
        command.upgrade(config, "head")
        command.check(config)


def tables(database_url: str) -> set[str]:
    engine = create_engine(parse_url(database_url), poolclass=NullPool)
    with engine.connect() as connection:
        return set(inspect(connection).get_table_names())


def test_a_dba_can_read_the_sql_first(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with alembic_on(database_url) as config:
        command.upgrade(config, "head", sql=True)
    sql = capsys.readouterr().out
    assert "CREATE TABLE task" in sql
    assert "FORCE ROW LEVEL SECURITY" in sql
