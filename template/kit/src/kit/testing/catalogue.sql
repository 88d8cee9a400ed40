-- What is wrong with tables that have a user_id: the fault, and where it is.
WITH role AS (
    SELECT * FROM pg_roles WHERE rolname = pg_catalog.left(current_database()::text, 50) || '_rls'
),
schema AS (SELECT * FROM pg_namespace WHERE nspname !~ '^(pg_.*|information_schema)$'),
relation AS (
    SELECT c.*, c.oid::regclass::text AS name, a.attnum AS owner
    FROM pg_class c JOIN schema ON schema.oid = relnamespace
    LEFT JOIN pg_attribute a ON attrelid = c.oid AND attname = 'user_id' AND NOT attisdropped
    WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
),
owned AS (SELECT * FROM relation WHERE relkind IN ('r', 'p') AND owner IS NOT NULL)

SELECT 'row security is off: run alembic upgrade head, or drop the table if its model is gone' AS fault,
    name AS place
FROM owned WHERE NOT relrowsecurity

UNION SELECT 'a policy compares something other than the owner, or there is no policy', name
FROM role CROSS JOIN owned
LEFT JOIN pg_policy ON polrelid = owned.oid AND polpermissive
CROSS JOIN LATERAL (VALUES (polqual), (coalesce(polwithcheck, polqual))) AS rule (expression)
WHERE polroles <> ARRAY[role.oid]
OR replace(pg_get_expr(expression, polrelid), '(user_id)::text', 'user_id') IS DISTINCT FROM
   $$(user_id = NULLIF(current_setting('app.user_id'::text, true), ''::text))$$

UNION SELECT 'the primary key does not begin with user_id', name
FROM owned WHERE NOT EXISTS (
    SELECT FROM pg_index WHERE indrelid = owned.oid AND indisprimary AND indkey[0] = owner
)

UNION SELECT 'a unique index without user_id reveals what other users have', indexrelid::regclass::text
FROM owned JOIN pg_index ON indrelid = owned.oid
WHERE (indisunique OR indisexclusion)
AND owner <> ALL ((indkey::int2[])[:indnkeyatts - 1]) -- what follows is only INCLUDEd

UNION SELECT 'an exclusion constraint that does not compare user_id by = reveals what other users have', conname
FROM owned JOIN pg_constraint ON conrelid = owned.oid
CROSS JOIN LATERAL unnest(conkey, conexclop) AS pair (key, operator)
JOIN pg_operator ON pg_operator.oid = operator
WHERE contype = 'x' AND key = owner AND oprname <> '='

UNION SELECT 'a foreign key without user_id can point to another''s row', conname
FROM pg_constraint f
JOIN owned target ON target.oid = confrelid
LEFT JOIN owned source ON source.oid = conrelid
WHERE contype = 'f' AND NOT EXISTS (
    SELECT FROM unnest(conkey, confkey) AS pair (here, there)
    WHERE here = source.owner AND there = target.owner
)

UNION SELECT 'everybody, or the users'' role, has rights that it does not need', name
FROM role CROSS JOIN owned
LEFT JOIN pg_attribute ON attrelid = owned.oid AND attacl IS NOT NULL
CROSS JOIN LATERAL (SELECT * FROM aclexplode(relacl) UNION SELECT * FROM aclexplode(attacl)) AS acl
WHERE grantee = 0
OR grantee = role.oid AND privilege_type NOT IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')

UNION SELECT 'users can write to a table without user_id', name
FROM role CROSS JOIN relation
WHERE relkind IN ('r', 'p', 'f') AND owner IS NULL AND (
    has_table_privilege(role.oid, relation.oid, 'DELETE, TRUNCATE')
    OR has_any_column_privilege(role.oid, relation.oid, 'INSERT, UPDATE')
)

UNION SELECT 'users can reach rows past their policy, through a view or a foreign table', name
FROM role CROSS JOIN relation
WHERE (relkind IN ('v', 'm') OR relkind = 'f' AND owner IS NOT NULL)
AND NOT coalesce(reloptions, '{}') && '{security_invoker=true,security_invoker=on}'
AND (
    has_table_privilege(role.oid, relation.oid, 'DELETE')
    OR has_any_column_privilege(role.oid, relation.oid, 'SELECT, INSERT, UPDATE')
)

UNION SELECT 'a rule runs with the rights of the owner of its table', rulename
FROM relation JOIN pg_rewrite ON ev_class = relation.oid WHERE ev_type <> '1'

UNION SELECT 'users can call a function that runs with its owner''s rights', p.oid::regprocedure::text
FROM role CROSS JOIN pg_proc p JOIN schema ON schema.oid = pronamespace
WHERE prosecdef AND has_function_privilege(role.oid, p.oid, 'EXECUTE') AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e'
)

UNION SELECT 'users can create objects: revoke CREATE from PUBLIC and from their role', nspname
FROM role CROSS JOIN schema WHERE has_schema_privilege(role.oid, schema.oid, 'CREATE')

UNION SELECT 'everybody may connect, or users can do more: run alembic upgrade head', datname
FROM role CROSS JOIN pg_database
WHERE datname = current_database() AND (
    has_database_privilege('public', datname, 'CONNECT')
    OR has_database_privilege(role.oid, datname, 'CREATE, TEMPORARY')
)

UNION SELECT fault, remedy FROM (ROLE_FAULTS) AS found
