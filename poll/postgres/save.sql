-- Stores a batch: one vote per voter, in the order of the voters. A vote replaces the one that is there only if its timestamp is
-- later, or the same and its choice greater (poll.Vote.Supersedes).
-- $1 voters, $2 choices, $3 timestamps: arrays of the same length.
INSERT INTO votes AS v (voter, choice, cast_at)
SELECT n.voter, n.choice, n.cast_at
FROM unnest($1::uuid[], $2::"char"[], $3::timestamptz[]) AS n (voter, choice, cast_at)
ON CONFLICT (voter) DO UPDATE SET choice = excluded.choice, cast_at = excluded.cast_at
WHERE (v.cast_at, v.choice) < (excluded.cast_at, excluded.choice)
