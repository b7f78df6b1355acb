-- What the poll keeps in PostgreSQL 15 or newer. Running it again changes nothing.

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

-- Adds a change to the tally, in the order of the choices, so that two workers in the same slot cannot deadlock.
CREATE OR REPLACE FUNCTION add_to_tally(difference_a bigint, difference_b bigint) RETURNS void
LANGUAGE sql AS $$
  INSERT INTO tally AS t (slot, choice, votes)
  SELECT pg_backend_pid() % 16, d.choice, d.difference
  FROM (VALUES ('a'::"char", difference_a), ('b'::"char", difference_b)) AS d (choice, difference)
  WHERE d.difference <> 0
  ORDER BY d.choice
  ON CONFLICT (slot, choice) DO UPDATE SET votes = t.votes + excluded.votes
$$;

-- The tally changes in the same transaction as the votes, whoever changes them and however: once per statement, by the rows
-- that the statement inserted, changed or deleted.
CREATE OR REPLACE FUNCTION tally_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM add_to_tally(
    (SELECT count(*) FILTER (WHERE choice = 'a') FROM inserted),
    (SELECT count(*) FILTER (WHERE choice = 'b') FROM inserted));
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION tally_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM add_to_tally(
    (SELECT count(*) FILTER (WHERE choice = 'a') FROM after)
      - (SELECT count(*) FILTER (WHERE choice = 'a') FROM before),
    (SELECT count(*) FILTER (WHERE choice = 'b') FROM after)
      - (SELECT count(*) FILTER (WHERE choice = 'b') FROM before));
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION tally_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM add_to_tally(
    -(SELECT count(*) FILTER (WHERE choice = 'a') FROM deleted),
    -(SELECT count(*) FILTER (WHERE choice = 'b') FROM deleted));
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION tally_truncated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM tally;
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

-- The version of this file that was run, so that a worker need not run it at every start. Written last.
CREATE TABLE IF NOT EXISTS poll_schema (version text NOT NULL);
