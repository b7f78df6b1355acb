// Package poll is the voting application without its technology: what a ballot, a voter, a vote and a tally are, and
// what the application needs of a queue and of a database.
//
// The way of a vote: the vote page appends it to a [Queue]. A worker reads it from that queue's [Backlog], saves it in
// [Votes], and only then acknowledges it, so that the queue forgets it. The results page reads a [Scoreboard].
//
// Two rules make the count exact, whatever is repeated, delayed or lost on the way:
//
//   - A vote carries its voter and the time it was cast. Of two votes by one voter the later one counts, in whichever order
//     and however often they arrive (see [Vote.Supersedes]).
//   - A queue forgets a vote only when the database has it for good. So a vote arrives at least once; that it may arrive
//     twice is harmless by the first rule.
//
// The package imports only the standard library and Unicode's normal forms. Each technology is a package below it: redis, postgres and http know
// this package and not each other; the programs in cmd tie them together.
package poll
