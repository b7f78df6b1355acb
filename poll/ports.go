package poll

import (
	"context"
	"errors"
	"time"
)

// ErrUnavailable is wrapped by every error that says "not now": the queue or the database cannot be reached, is full or is
// starting. Trying again later may work, and nothing needs to be repaired by the caller.
var ErrUnavailable = errors.New("unavailable")

// Queue takes votes in at the vote page.
type Queue interface {
	// Append returns nil only when the queue has the vote and will keep it until a worker has stored it. After an error
	// the vote may have been taken or not. Safe for concurrent use.
	Append(ctx context.Context, vote Vote) error
	// CheckWritable returns nil only when what this queue stands on takes writes now: it writes, and leaves nothing behind that grows.
	CheckWritable(ctx context.Context) error
	// CheckAccepts is CheckWritable for all that a vote has to be in: it returns nil only when a vote could be appended now.
	CheckAccepts(ctx context.Context) error
}

// Entry is one thing found in a queue: votes that came in together.
type Entry struct {
	// ID names the entry within its queue.
	ID string
	// QueuedAt is when the queue took it.
	QueuedAt time.Time
	// Votes are those that it holds, as far as they can be read.
	Votes []Vote
	// Fault says why it, or a part of it, cannot be read as votes.
	Fault error
	// Gone is an entry that was handed out and has been taken out of the queue since: there is nothing left to do but to
	// acknowledge it.
	Gone bool
}

// DeadLetter is an entry that cannot be read as votes, or not all of it, and that waits for a person to look at it.
type DeadLetter struct {
	// Queue and ID say where it was found, for instance "redis01" and "1700000000000-0".
	Queue, ID string
	// Reason says what is wrong with it.
	Reason string
	// Content is the entry as it was, quoted so that any bytes become printable text.
	Content string
}

// Backlog is one consumer's side of a queue: the entries that the database is not known to have yet. An entry handed out by
// one of the reading methods stays in the backlog until Acknowledge or MoveToDeadLetters. It is safe for concurrent use.
type Backlog interface {
	// Name is the queue's name in logs and metrics, for instance "redis01".
	Name() string
	// Prepare makes the queue ready for reading; repeating it changes nothing.
	Prepare(ctx context.Context) error
	// Next hands out up to max entries that nobody was handed yet, waiting for the first one up to wait. No entries and no
	// error means that there were none.
	Next(ctx context.Context, max int, wait time.Duration) ([]Entry, error)
	// Unfinished lists up to max entries after the one with ID after ("" for the first) that were handed out to this
	// consumer, perhaps before a restart, and not acknowledged.
	Unfinished(ctx context.Context, max int, after string) ([]Entry, error)
	// TakeOver hands this consumer up to max entries that were handed to any consumer at least idle ago and not acknowledged,
	// from cursor ("" to begin). It returns the cursor to go on from, "" at the end.
	TakeOver(ctx context.Context, max int, idle time.Duration, cursor string) ([]Entry, string, error)
	// HasAbandoned reports whether there are entries that TakeOver hands out, for the same idle.
	HasAbandoned(ctx context.Context, idle time.Duration) (bool, error)
	// HandBack makes whatever was handed to this consumer and not acknowledged count as left alone for a day, so that TakeOver gives
	// it to another consumer at once. It is for a consumer that ends. It stays this consumer's until it is taken over.
	HandBack(ctx context.Context) error
	// Acknowledge takes the entries out of the queue for good. IDs that are not there any more are no error.
	Acknowledge(ctx context.Context, ids []string) error
	// MoveToDeadLetters moves an entry that cannot be read to the dead letters, whole and in one step, with the reason.
	MoveToDeadLetters(ctx context.Context, id, reason string) error
	// DeadLetters lists up to max dead letters.
	DeadLetters(ctx context.Context, max int) ([]DeadLetter, error)
	// DiscardDeadLetters deletes those listed, once they are kept elsewhere.
	DiscardDeadLetters(ctx context.Context, letters []DeadLetter) error
	// Behind is how long ago the queue took the oldest of the entries that it holds; 0 if it holds none.
	Behind(ctx context.Context) (time.Duration, error)
	// Size is how many entries the queue holds, those handed out and not acknowledged included.
	Size(ctx context.Context) (int64, error)
	// DeadLetterCount is how many dead letters there are.
	DeadLetterCount(ctx context.Context) (int64, error)
	// Close ends the connections. No method is called afterwards.
	Close()
}

// Progress says of a queue up to when the database has its votes.
type Progress struct {
	// Queue is the queue's name.
	Queue string
	// InUse is true if the queue holds votes, has handed some to the worker since its last note, or cannot be reached.
	InUse bool
	// Known is false if the queue could not be reached yet.
	Known bool
	// At is when the queue was asked, by this machine's clock, and Behind how far behind it was then: the database has every vote that
	// the queue took before that.
	At     time.Time
	Behind time.Duration
}

// Votes is the workers' side of the database: it keeps each voter's latest vote.
type Votes interface {
	// Prepare makes the database ready for saving, and so finds out whether it can be reached; repeating it changes nothing.
	Prepare(ctx context.Context) error
	// Save returns nil only when each of the votes, or a later one by the same voter, is stored for good. It returns how many
	// voters are new or have changed. Repeating it changes nothing.
	Save(ctx context.Context, votes []Vote) (changed int64, err error)
	// Record notes the progress of queues. A queue that is noted does not fall back. A retired one is noted only if it is in use.
	Record(ctx context.Context, progress []Progress) error
	// Retire takes the notes of queues away that are drained for good. Workers may still follow them for a while.
	Retire(ctx context.Context, queues []string) error
	// KeepDeadLetters stores dead letters for a person to look at. Repeating it changes nothing.
	KeepDeadLetters(ctx context.Context, letters []DeadLetter) error
}

// Scoreboard tells the count.
type Scoreboard interface {
	// Standing is the count of all stored votes. A database that no worker has set up yet has no votes, which is no error.
	Standing(ctx context.Context) (Standing, error)
}
