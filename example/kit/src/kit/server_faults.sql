-- What makes requests fail as PostgreSQL's catalogue knows it, and what mends it. Settings are
-- changed for the role in this database, which is stronger than all but those of a connection.
WITH here AS (
    SELECT quote_ident(pg_catalog.left(current_database()::text, 50) || '_rls') AS users,
    format('ALTER ROLE %I IN DATABASE %I SET', session_user, current_database()) AS alter_role,
    to_regclass('alembic_version') AS version
),
owned AS (
    SELECT name, to_regclass(name) AS seen FROM unnest(CAST(:tables AS text[])) AS name
)

SELECT format('The encoding is %s, not UTF8', pg_encoding_to_char(encoding)) AS fault,
    format('CREATE DATABASE %I ENCODING UTF8 TEMPLATE template0, and restore into it',
        datname || '_utf8') AS remedy
FROM pg_database WHERE datname = current_database() AND pg_encoding_to_char(encoding) <> 'UTF8'

UNION ALL SELECT 'The server is a standby, which is read-only',
    'SELECT pg_promote(), or take the host of the primary'
WHERE pg_is_in_recovery()

UNION ALL SELECT 'Transactions are read-only', format(
    'BEGIN READ WRITE; %s default_transaction_read_only = off; COMMIT', alter_role)
FROM here WHERE current_setting('transaction_read_only')::bool AND NOT pg_is_in_recovery()

UNION ALL SELECT 'row_security is off', alter_role || ' row_security = on'
FROM here WHERE NOT current_setting('row_security')::bool

UNION ALL SELECT format('The role %I may not read alembic_version', session_user),
    format('GRANT SELECT ON alembic_version TO %I', session_user)
FROM here WHERE NOT has_table_privilege(version, 'SELECT')

UNION ALL SELECT format('%s is in the schema %s, which is not seen', name, relnamespace::regnamespace),
    CASE WHEN has_schema_privilege(relnamespace, 'USAGE')
    THEN format('%s search_path = %s, public', alter_role, relnamespace::regnamespace)
    ELSE format('GRANT USAGE ON SCHEMA %s TO %I', relnamespace::regnamespace, session_user) END
FROM here, owned JOIN pg_class AS hidden ON quote_ident(relname) = name
WHERE version IS NULL AND seen IS NULL AND EXISTS (
    SELECT FROM pg_class WHERE relname = 'alembic_version' AND relnamespace = hidden.relnamespace
)

UNION ALL SELECT format('%s has no row security', seen), 'alembic upgrade head'
FROM here, owned JOIN pg_class ON pg_class.oid = seen
WHERE NOT relrowsecurity OR NOT EXISTS (
    SELECT FROM pg_policy JOIN pg_roles ON pg_roles.oid = ANY (polroles)
    WHERE polrelid = seen AND quote_ident(rolname) = users
)

UNION ALL SELECT format('There is no role %s', users), 'alembic upgrade head'
FROM here WHERE version IS NOT NULL AND to_regrole(users) IS NULL

UNION ALL SELECT format('The role %I may not become %s', session_user, users),
    format('GRANT %s TO %I', users, session_user)
FROM here WHERE NOT pg_has_role(to_regrole(users), CASE
    WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END)

UNION ALL SELECT overlay(fault PLACING 'T' FROM 1 FOR 1), remedy FROM (ROLE_FAULTS) AS of_the_role
