-- How the database itself keeps each user's rows apart. Every `alembic upgrade` ends with this.
--
-- The service's statements run as the role of the database's users, for one user: see database.py.
-- For that role alone each table with a user_id has a policy. The owner of the tables, who migrates,
-- dumps and restores, sees every row. It can run again and again, and takes no lock on a table that
-- is secured already.
DO $do$
DECLARE
    users text := pg_catalog.left(current_database()::text, 50) || '_user';
    -- SET is a right of its own since PostgreSQL 16: a role's creator must grant it to itself.
    membership text := CASE WHEN current_setting('server_version_num')::int < 160000
                            THEN 'MEMBER' ELSE 'SET' END;
    needed text := '';
    secured regclass;
    sequence regclass;
BEGIN
    IF users = current_user OR EXISTS (
        SELECT FROM pg_roles WHERE rolname = users AND (rolcanlogin OR rolsuper OR rolbypassrls)
    ) THEN
        RAISE 'The role % is somebody''s: row security needs it. Rename the database, or that role.',
            users;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = users) THEN
        needed := format('CREATE ROLE %I NOLOGIN; ', users);
    END IF;
    IF needed <> '' OR NOT pg_has_role(current_user, users, membership) THEN
        needed := needed || format('GRANT %I TO %I; ', users, current_user);
        BEGIN
            EXECUTE needed;
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE insufficient_privilege USING MESSAGE = format(
                'The role %I may not create or grant roles. Let a DBA run: %sand migrate again.',
                current_user, needed);
        END;
    END IF;
    FOR secured IN
        SELECT to_regclass(name) FROM unnest(ARRAY[TABLES]::text[]) AS name
        WHERE to_regclass(name) IS NOT NULL
    LOOP
        -- A setting reads NULL where it never was, and '' where it ended with its transaction.
        IF NOT EXISTS (
            SELECT FROM pg_policy JOIN pg_class ON pg_class.oid = polrelid
            WHERE polrelid = secured AND relrowsecurity AND polname = 'owner' AND polpermissive
            AND polcmd = '*' AND polroles = ARRAY[(SELECT oid FROM pg_roles WHERE rolname = users)]
            AND polwithcheck IS NULL AND pg_get_expr(polqual, polrelid) =
                $$((user_id)::text = NULLIF(current_setting('app.user_id'::text, true), ''::text))$$
        ) THEN
            EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', secured);
            EXECUTE format('DROP POLICY IF EXISTS owner ON %s', secured);
            EXECUTE format($policy$
                CREATE POLICY owner ON %s TO %I
                USING (user_id = nullif(current_setting('app.user_id', true), ''))
            $policy$, secured, users);
        END IF;
        EXECUTE format('REVOKE ALL ON %s FROM PUBLIC', secured);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I', secured, users);
        FOR sequence IN
            SELECT objid FROM pg_depend JOIN pg_class ON pg_class.oid = objid
            WHERE refobjid = secured AND relkind = 'S'
        LOOP
            EXECUTE format('GRANT USAGE ON SEQUENCE %s TO %I', sequence, users);
        END LOOP;
    END LOOP;
END $do$
