// Package poll is the voting application without its technology: what a ballot, a voter, a vote and a tally are, and
// what the application needs of a queue and of a store.
//
// The way of a vote: the vote page hands it to a [Queue]; a worker takes it out of that queue through a [Backlog],
// saves it in a [Store], and only then tells the queue to forget it; the results page reads a [Scoreboard].
//
// Two rules make the count exact, whatever is repeated, delayed or lost on the way:
//
//   - A vote carries its voter and the moment it was cast. Of two votes by one voter the later one counts, in whichever
//     order and however often they arrive (see [Vote.Supersedes]).
//   - A queue forgets a vote only when a store has it for good. So a vote may arrive twice, which the first rule makes
//     harmless, but not less than once.
//
// The package imports only the standard library. Each technology is a package below it: redis, postgres and http know
// this package and not each other; the programs in cmd tie them together.
package poll
