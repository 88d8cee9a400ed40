-- What must not be, of any table that has a user_id: the fault, and where it is.
WITH role AS (
    SELECT * FROM pg_roles WHERE rolname = left(current_database(), 50) || '_user'
),
relation AS (
    SELECT c.*, c.oid::regclass::text AS name, a.attnum AS owner
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    LEFT JOIN pg_attribute a ON attrelid = c.oid AND attname = 'user_id' AND NOT attisdropped
    WHERE nspname !~ '^(pg_.*|information_schema)$' AND NOT EXISTS (
        SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e'
    )
),
owned AS (SELECT * FROM relation WHERE relkind IN ('r', 'p') AND owner IS NOT NULL)

SELECT 'row security is off: run alembic upgrade head' AS fault, name AS place
FROM owned WHERE NOT relrowsecurity

UNION SELECT 'a policy asks for something else than the owner, or there is none', name
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

UNION SELECT 'a unique index without user_id tells what others have', indexrelid::regclass::text
FROM owned JOIN pg_index ON indrelid = owned.oid
WHERE (indisunique OR indisexclusion) AND owner <> ALL (indkey)

UNION SELECT 'a foreign key without user_id can point to another''s row', conname
FROM pg_constraint f
JOIN owned target ON target.oid = confrelid
LEFT JOIN owned source ON source.oid = conrelid
WHERE contype = 'f' AND NOT EXISTS (
    SELECT FROM unnest(conkey, confkey) AS pair (here, there)
    WHERE here = source.owner AND there = target.owner
)

UNION SELECT 'everybody, or the users'' role, has other rights than it needs', name
FROM role CROSS JOIN owned CROSS JOIN aclexplode(relacl) AS acl
WHERE grantee = 0
OR grantee = role.oid AND privilege_type NOT IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')

UNION SELECT 'everybody has a right to a column', name
FROM owned JOIN pg_attribute ON attrelid = owned.oid CROSS JOIN aclexplode(attacl) AS acl
WHERE grantee = 0

UNION SELECT 'users can write what belongs to nobody', name
FROM role CROSS JOIN relation
WHERE relkind IN ('r', 'p') AND owner IS NULL
AND has_table_privilege(role.oid, relation.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')

UNION SELECT 'users can read a view that reads with its owner''s rights', name
FROM role CROSS JOIN relation
WHERE relkind IN ('v', 'm') AND has_table_privilege(role.oid, relation.oid, 'SELECT')
AND NOT coalesce(reloptions, '{}') && '{security_invoker=true,security_invoker=on}'

UNION SELECT 'the users'' role can do more than row security allows', rolname
FROM role
WHERE rolcanlogin OR rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication
OR EXISTS (SELECT FROM pg_auth_members WHERE member = role.oid)
OR EXISTS (SELECT FROM pg_shdepend WHERE refobjid = role.oid AND deptype = 'o')
