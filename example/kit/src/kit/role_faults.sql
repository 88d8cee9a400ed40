-- What makes the role of the database's users unsafe, and the SQL with which a DBA mends it.
--
-- Row security binds a role that has no attribute, owns nothing and cannot become another role.
-- There is no row for such a role, and none before the first upgrade, which makes the role.
SELECT concat_ws(' ', 'the role', quoted, found.fault) AS fault, found.remedy || ';' AS remedy
FROM pg_roles AS bound
CROSS JOIN quote_ident(rolname) AS quoted
CROSS JOIN LATERAL (
    SELECT attributes.fault, concat_ws(' ', 'ALTER ROLE', quoted, without)
    FROM (VALUES
        (rolcanlogin, 'can log in', 'NOLOGIN'),
        (rolsuper, 'is a superuser', 'NOSUPERUSER'),
        (rolbypassrls, 'is exempt from row security', 'NOBYPASSRLS'),
        (rolcreaterole, 'can create roles', 'NOCREATEROLE'),
        (rolcreatedb, 'can create databases', 'NOCREATEDB'),
        (rolreplication, 'can copy the cluster', 'NOREPLICATION')
    ) AS attributes (has_it, fault, without)
    WHERE has_it

    UNION SELECT concat_ws(' ', 'is a member of', roleid::regrole),
        concat_ws(' ', 'REVOKE', roleid::regrole, 'FROM', quoted)
    FROM pg_auth_members WHERE member = bound.oid

    UNION SELECT concat_ws(' ', 'owns something in the database', quote_ident(datname)),
        concat_ws(' ', 'REASSIGN OWNED BY', quoted, 'TO',
            coalesce(nullif(datdba, bound.oid)::regrole::text, quote_ident(session_user)))
    FROM pg_shdepend
    JOIN pg_database ON pg_database.oid = dbid OR dbid = 0 AND datname = current_database()
    WHERE refobjid = bound.oid AND deptype = 'o' AND classid <> 'pg_default_acl'::regclass
) AS found (fault, remedy)
WHERE rolname = pg_catalog.left(current_database()::text, 50) || '_rls'
