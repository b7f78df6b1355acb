-- What the poll keeps in PostgreSQL 15 or newer. Running it again changes nothing.

-- Everything is made in the first schema of the search path, and the functions keep looking there, whatever the search path of
-- whoever calls them: a restore runs with an empty one.
SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

-- Each voter's latest vote.
CREATE TABLE IF NOT EXISTS votes (
  voter   uuid        PRIMARY KEY,
  choice  "char"      NOT NULL CHECK (choice IN ('a', 'b')),
  cast_at timestamptz NOT NULL
);

-- How many voters each option has: the sum over the slots. There are several slots so that workers that store votes at the
-- same time seldom wait for each other's commit. One slot alone means nothing and may be below zero.
CREATE TABLE IF NOT EXISTS tally (
  slot   integer NOT NULL,
  choice "char"  NOT NULL,
  votes  bigint  NOT NULL,
  PRIMARY KEY (slot, choice)
) WITH (fillfactor = 20); -- room on the page for the many new versions of its few rows

-- Dead letters of the queues: entries that could not be read as votes, kept for a person to look at. The table has the name
-- that databases know it by already.
CREATE TABLE IF NOT EXISTS unreadable_entries (
  queue   text        NOT NULL,
  id      text        NOT NULL,
  reason  text        NOT NULL,
  content text        NOT NULL,
  kept_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (queue, id)
);

-- Up to when each queue is drained: every vote that the queue took before is in votes. '-infinity' for a queue that no worker has
-- reached yet, 'infinity' for one that is drained for good. The time is by this server's clock.
CREATE TABLE IF NOT EXISTS drained_queues (
  queue      text        PRIMARY KEY,
  drained_to timestamptz NOT NULL
) WITH (fillfactor = 50);

-- A restore that was not finished may have made the tables without their keys, and the next one have added every row once more. Of
-- several votes of a voter the latest stays (poll.Vote.Supersedes). The triggers, which need the keys, are made again below.
DO $$
DECLARE
  made record;
BEGIN
  FOR made IN SELECT * FROM (VALUES ('votes', 'voter', 'cast_at DESC, choice DESC'), ('tally', 'slot, choice', 'votes'),
    ('unreadable_entries', 'queue, id', 'kept_at'), ('drained_queues', 'queue', 'drained_to')) AS t (name, key, best_first)
  LOOP
    IF NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = made.name::regclass AND contype = 'p') THEN
      EXECUTE format('ALTER TABLE %s DISABLE TRIGGER USER', made.name);
      EXECUTE format('DELETE FROM %1$s WHERE ctid IN (SELECT ctid FROM (SELECT ctid, row_number() OVER (PARTITION BY %2$s ORDER BY %3$s)
        FROM %1$s) AS t (ctid, place) WHERE place > 1)', made.name, made.key, made.best_first);
      EXECUTE format('ALTER TABLE %s ADD PRIMARY KEY (%s)', made.name, made.key);
    END IF;
  END LOOP;
END $$;

-- Nobody stores votes until the triggers are there and the tally is counted.
LOCK TABLE votes IN SHARE ROW EXCLUSIVE MODE;

-- Adds a change to the tally, in the order of the choices, so that two workers in the same slot cannot deadlock.
CREATE OR REPLACE FUNCTION add_to_tally(difference_a bigint, difference_b bigint) RETURNS void
LANGUAGE sql SET search_path FROM CURRENT AS $$
  INSERT INTO tally AS t (slot, choice, votes)
  SELECT pg_backend_pid() % 16, d.choice, d.difference
  FROM (VALUES ('a'::"char", difference_a), ('b'::"char", difference_b)) AS d (choice, difference)
  WHERE d.difference <> 0
  ORDER BY d.choice
  ON CONFLICT (slot, choice) DO UPDATE SET votes = t.votes + excluded.votes
$$;

-- The tally changes in the same transaction as the votes, whoever changes them and however: once per statement, by the rows
-- that the statement inserted, changed or deleted.
CREATE OR REPLACE FUNCTION tally_inserted() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM add_to_tally(
    (SELECT count(*) FILTER (WHERE choice = 'a') FROM inserted),
    (SELECT count(*) FILTER (WHERE choice = 'b') FROM inserted));
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION tally_updated() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM add_to_tally(
    (SELECT count(*) FILTER (WHERE choice = 'a') FROM after)
      - (SELECT count(*) FILTER (WHERE choice = 'a') FROM before),
    (SELECT count(*) FILTER (WHERE choice = 'b') FROM after)
      - (SELECT count(*) FILTER (WHERE choice = 'b') FROM before));
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION tally_deleted() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM add_to_tally(
    -(SELECT count(*) FILTER (WHERE choice = 'a') FROM deleted),
    -(SELECT count(*) FILTER (WHERE choice = 'b') FROM deleted));
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION tally_truncated() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  DELETE FROM tally;
  RETURN NULL;
END $$;

-- Only the functions above write the tally. What anybody else writes into it, a restore for instance, is ignored: the restored votes
-- are counted when they are written.
CREATE OR REPLACE FUNCTION tally_ignored() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  RETURN NULL;
END $$;

-- Whoever deletes the tally has it counted.
CREATE OR REPLACE FUNCTION tally_recounted() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  LOCK TABLE votes IN SHARE ROW EXCLUSIVE MODE; -- the statements below see all that was committed before
  DELETE FROM tally;
  PERFORM add_to_tally(count(*) FILTER (WHERE choice = 'a'), count(*) FILTER (WHERE choice = 'b')) FROM votes;
  RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER tally_inserted AFTER INSERT ON votes
  REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION tally_inserted();
CREATE OR REPLACE TRIGGER tally_updated AFTER UPDATE ON votes
  REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION tally_updated();
CREATE OR REPLACE TRIGGER tally_deleted AFTER DELETE ON votes
  REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT EXECUTE FUNCTION tally_deleted();
CREATE OR REPLACE TRIGGER tally_truncated AFTER TRUNCATE ON votes
  FOR EACH STATEMENT EXECUTE FUNCTION tally_truncated();
CREATE OR REPLACE TRIGGER tally_ignored BEFORE INSERT OR UPDATE ON tally
  FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION tally_ignored();
CREATE OR REPLACE TRIGGER tally_recounted AFTER DELETE OR TRUNCATE ON tally
  FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION tally_recounted();

-- ALWAYS: also for a session that replicates. It is a mark, too. Who disables triggers and enables them again, a restore with
-- --disable-triggers for instance, leaves them without it, and a worker sees that the tally has to be counted.
ALTER TABLE votes ENABLE ALWAYS TRIGGER tally_inserted;
ALTER TABLE votes ENABLE ALWAYS TRIGGER tally_updated;
ALTER TABLE votes ENABLE ALWAYS TRIGGER tally_deleted;
ALTER TABLE votes ENABLE ALWAYS TRIGGER tally_truncated;
ALTER TABLE tally ENABLE ALWAYS TRIGGER tally_ignored;
ALTER TABLE tally ENABLE ALWAYS TRIGGER tally_recounted;

-- The role of the results page reads the tally and up to when it is complete, and nothing else. The role that runs this file owns
-- everything. Where the database has no such role, a superuser serves both.
DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'results_app') THEN
    GRANT SELECT ON tally, drained_queues TO results_app;
  END IF;
END $$;

-- The version of this file that was run, for which tables and in which transaction, so that a worker need not run it at every start.
-- Written last.
CREATE TABLE IF NOT EXISTS poll_schema (version text NOT NULL);

DELETE FROM tally; -- and have it counted
