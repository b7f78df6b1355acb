-- The roles of the database that psql is connected to, and their rights. psql runs it as postgres, with the variables
-- postgres_password, worker_password and results_password. Running it again changes nothing.
--
-- vote_worker owns what the poll keeps, and writes it. results_app reads the tally. Neither is a superuser: a superuser can run
-- commands on the server's machine.

SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';

-- One at a time: an interrupted deployment may still be at it. The number is "role" in ASCII. The lock ends with psql.
DO 'BEGIN PERFORM pg_advisory_lock(x''726f6c65''::int); END';

SELECT format('CREATE ROLE %I', name) FROM unnest(ARRAY['vote_worker', 'results_app']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

ALTER ROLE postgres PASSWORD :'postgres_password';
ALTER ROLE vote_worker LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'worker_password';
ALTER ROLE results_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'results_password';

-- Two workers that store a new voter's vote at once make PostgreSQL log an error, with its time. No detail of it, which has the voter.
ALTER ROLE vote_worker SET log_error_verbosity = 'terse';

-- By default everybody may log in to every database, make temporary tables and make large objects.
REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
REVOKE ALL ON DATABASE template1 FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT CONNECT ON DATABASE :"DBNAME" TO vote_worker, results_app;
GRANT USAGE, CREATE ON SCHEMA public TO vote_worker;
GRANT USAGE ON SCHEMA public TO results_app;

-- Gives vote_worker what a restored dump, or an earlier commit, left to postgres. Each ALTER is a transaction of its own: one that held
-- several locks could deadlock with a worker. A sequence that belongs to a column follows its table. What belongs to an extension stays.
SELECT format('ALTER %s %s OWNER TO vote_worker', kind, name)
FROM (
  SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END,
    oid::regclass::text, tableoid, oid, relnamespace, relowner
  FROM pg_class WHERE relkind IN ('r', 'p', 'S', 'v', 'm')
  UNION ALL
  SELECT 'ROUTINE', oid::regprocedure::text, tableoid, oid, pronamespace, proowner FROM pg_proc
) AS kept (kind, name, catalog, id, namespace, owner)
WHERE namespace = 'public'::regnamespace AND owner = 'postgres'::regrole
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = catalog AND objid = id AND deptype IN ('a', 'i', 'e'))
ORDER BY kind, name \gexec

-- schema.sql does the same when it makes the tables.
SELECT format('GRANT SELECT ON %I TO results_app', name) FROM unnest(ARRAY['tally', 'drained_queues']) AS name
WHERE to_regclass(name) IS NOT NULL \gexec
