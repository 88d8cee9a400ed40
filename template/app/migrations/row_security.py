"""How migrations make the database itself keep each user's rows apart.

`enable_row_security("task")` stands after `op.create_table("task", …)`: autogenerate writes it for
every table with a `user_id`. Dropping the table drops what it made.
"""

from collections.abc import Sequence

from alembic import op
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import renderers
from alembic.autogenerate.rewriter import Rewriter
from alembic.operations.ops import CreateTableOp, MigrateOperation
from sqlalchemy import Column

from app.database import USER_ROLE

# SET is a right of its own since PostgreSQL 16: a role's creator must grant it to itself.
CREATE_ROLE = f"""
DO $$
DECLARE
    membership text := CASE WHEN current_setting('server_version_num')::int < 160000
                            THEN 'MEMBER' ELSE 'SET' END;
    needed text := '';
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{USER_ROLE}') THEN
        needed := 'CREATE ROLE {USER_ROLE} NOLOGIN; ';
    END IF;
    IF needed <> '' OR NOT pg_has_role(current_user, '{USER_ROLE}', membership) THEN
        needed := needed || format('GRANT {USER_ROLE} TO %I; ', current_user);
        EXECUTE needed;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE insufficient_privilege USING MESSAGE = format(
        'The role %I may not create or grant roles. Let a DBA run: %sand migrate again.',
        current_user, needed);
END $$
"""

# The role belongs to the cluster: another database of it may use it still.
DROP_ROLE = f"""
DO $$ BEGIN
    DROP ROLE IF EXISTS {USER_ROLE};
EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN
    RAISE NOTICE 'The role {USER_ROLE} stays: %', SQLERRM;
END $$
"""

# A setting reads NULL where it never was, and '' where it ended with its transaction.
OWNED = "user_id = nullif(current_setting('app.user_id', true), '')"


def enable_row_security(table: str) -> None:
    """Lets each user see and change only the rows with their `user_id`, whoever connects."""
    quote = op.get_context().dialect.identifier_preparer.quote
    name, policy = quote(table), quote(f"{table}_owner")
    for statement in (
        CREATE_ROLE,
        f"REVOKE ALL ON {name} FROM PUBLIC",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {name} TO {USER_ROLE}",
        f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY {policy} ON {name} USING ({OWNED}) WITH CHECK ({OWNED})",
    ):
        op.execute(statement)


def drop_user_role() -> None:
    op.execute(DROP_ROLE)


class EnableRowSecurity(MigrateOperation):
    def __init__(self, table: str) -> None:
        self.table = table


@renderers.dispatch_for(EnableRowSecurity)
def _render(context: AutogenContext, operation: EnableRowSecurity) -> str:
    context.imports.add("from app.migrations.row_security import enable_row_security")
    return f"enable_row_security({operation.table!r})"


secure_user_tables = Rewriter()


@secure_user_tables.rewrites(CreateTableOp)
def _secure(_: object, __: object, operation: CreateTableOp) -> Sequence[MigrateOperation]:
    columns = {item.name for item in operation.columns if isinstance(item, Column)}
    if "user_id" not in columns:
        return [operation]
    return [operation, EnableRowSecurity(operation.table_name)]
