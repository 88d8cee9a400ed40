-- How the database itself keeps each user's rows apart. Every `alembic upgrade` ends with this.
--
-- The service's statements run as the role of the database's users, for one user: see database.py.
-- For that role alone each table with a user_id has a policy. The owner of the tables, who migrates,
-- dumps and restores, sees every row. It can run again and again, and takes no lock on a table that
-- is secured already.
DO $do$
DECLARE
    users text := pg_catalog.left(current_database()::text, 50) || '_rls';
    -- SET is a right of its own since PostgreSQL 16: a role's creator must grant it to itself.
    membership text := CASE WHEN current_setting('server_version_num')::int < 160000
                            THEN 'MEMBER' ELSE 'SET' END;
    owner text := (SELECT datdba::regrole FROM pg_database WHERE datname = current_database());
    needed text := '';
    faults text;
    remedies text;
    login text;
    former text;
    secured regclass;
    within regnamespace;
    sequences text;
    objects text;
BEGIN
    SELECT string_agg(fault, ', '), string_agg(remedy, ' ') INTO faults, remedies
    FROM (ROLE_FAULTS) AS found;
    IF faults IS NOT NULL THEN
        RAISE 'Row security would not hold: %. Let a DBA run: % and migrate again.',
            faults, remedies
        USING HINT = 'If that role is somebody''s, rename it instead, or the database.';
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

    -- Who connects is the owner, who may become `users`, and whoever was granted it by name.
    needed := format('GRANT CONNECT ON DATABASE %1$I TO %2$I; '
        'REVOKE CONNECT, TEMPORARY ON DATABASE %1$I FROM PUBLIC;', current_database(), users);
    IF pg_has_role(owner::regrole, 'USAGE') THEN
        EXECUTE needed;
        -- A login that does not inherit the right, and would be locked out.
        FOR login IN
            SELECT rolname FROM pg_roles
            WHERE (rolname = session_user OR rolcanlogin AND pg_has_role(oid, users, 'MEMBER'))
            AND NOT has_database_privilege(oid, current_database(), 'CONNECT')
        LOOP
            EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), login);
        END LOOP;
    ELSIF has_database_privilege('public', current_database(), 'CONNECT, TEMPORARY') THEN
        RAISE WARNING 'Every role of the cluster may connect. Let % run: %', owner, needed;
    END IF;
    -- PostgreSQL 14 let everybody create objects here, and restoring its dump does so again.
    IF has_schema_privilege('public', current_schema(), 'CREATE') AND pg_has_role(
        (SELECT nspowner FROM pg_namespace WHERE nspname = current_schema()), 'USAGE'
    ) THEN
        EXECUTE format('GRANT CREATE ON SCHEMA %I TO %s', current_schema(), owner);
        EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', current_schema());
    END IF;

    FOR secured IN
        SELECT to_regclass(name) FROM unnest(ARRAY[TABLES]::text[]) AS name
        WHERE to_regclass(name) IS NOT NULL
    LOOP
        -- The sequences that its columns own or take their defaults from.
        SELECT string_agg(pg_class.oid::regclass::text, ', ') INTO sequences FROM pg_class
        WHERE relkind = 'S' AND pg_has_role(relowner, 'USAGE') AND EXISTS (
            SELECT FROM pg_depend LEFT JOIN pg_attrdef ON pg_attrdef.oid = objid
            WHERE secured IN (refobjid, adrelid) AND pg_class.oid IN (objid, refobjid)
        );
        objects := concat_ws(', ', secured, sequences);
        -- The policy of a restored or renamed database is for the role of its old name.
        FOR former IN
            SELECT rolname FROM pg_policy JOIN pg_class ON pg_class.oid = polrelid
            JOIN pg_roles ON pg_roles.oid = ANY (polroles)
            WHERE polrelid = secured AND polname = 'owner' AND rolname <> users
            AND pg_roles.oid <> relowner AND NOT rolcanlogin
        LOOP
            EXECUTE format('REVOKE ALL ON %s FROM %I', objects, former);
        END LOOP;
        -- A setting reads NULL where it never was, and '' where it ended with its transaction.
        IF NOT EXISTS (
            SELECT FROM pg_policy JOIN pg_class ON pg_class.oid = polrelid
            WHERE polrelid = secured AND relrowsecurity AND NOT relforcerowsecurity
            AND polname = 'owner' AND polpermissive AND polcmd = '*'
            AND polroles = ARRAY[(SELECT oid FROM pg_roles WHERE rolname = users)]
            AND polwithcheck IS NULL AND pg_get_expr(polqual, polrelid) =
                $$((user_id)::text = NULLIF(current_setting('app.user_id'::text, true), ''::text))$$
        ) THEN
            EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY',
                secured);
            EXECUTE format('DROP POLICY IF EXISTS owner ON %s', secured);
            EXECUTE format($policy$
                CREATE POLICY owner ON %s TO %I
                USING (user_id = nullif(current_setting('app.user_id', true), ''))
            $policy$, secured, users);
        END IF;
        within := (SELECT relnamespace FROM pg_class WHERE pg_class.oid = secured);
        IF NOT has_schema_privilege(users, within, 'USAGE') THEN
            EXECUTE format('GRANT USAGE ON SCHEMA %s TO %I', within, users);
        END IF;
        EXECUTE format('REVOKE ALL ON %s FROM PUBLIC, %I', objects, users);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I', secured, users);
        IF sequences IS NOT NULL THEN
            EXECUTE format('GRANT USAGE ON SEQUENCE %s TO %I', sequences, users);
        END IF;
    END LOOP;
END $do$
