-- The roles as which the stores log in with each other, by their certificates. psql runs it as postgres, before roles.sql. Running it again
-- changes nothing. Patroni makes them, too, but not in a database that began without it.

-- There may be no store yet that could copy this: none can before.
SET synchronous_commit = 'local';

SELECT format('CREATE ROLE %I', name) FROM unnest(ARRAY['replicator', 'rewinder']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

ALTER ROLE replicator LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE REPLICATION NOBYPASSRLS PASSWORD NULL;
ALTER ROLE rewinder LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD NULL;

-- What pg_rewind calls (PostgreSQL's documentation of pg_rewind).
GRANT CONNECT ON DATABASE :"DBNAME" TO rewinder;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text, boolean, boolean), pg_catalog.pg_stat_file(text, boolean),
	pg_catalog.pg_read_binary_file(text), pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean) TO rewinder;

RESET synchronous_commit;
