package poll

import (
	"context"
	"errors"
	"time"
)

// ErrUnavailable is wrapped by every error that says "not now": the queue or the store cannot be reached, is full or is
// starting. Trying again later may work, and nothing needs to be repaired by the caller.
var ErrUnavailable = errors.New("unavailable")

// Queue takes votes in at the vote page.
type Queue interface {
	// Append returns nil only when the queue has the vote and will keep it until a worker has stored it. After an error
	// the vote may have been taken or not. Safe for concurrent use.
	Append(ctx context.Context, vote Vote) error
	// CheckWritable returns nil only when a vote could be appended now: it writes, and leaves nothing behind that grows.
	CheckWritable(ctx context.Context) error
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

// Unreadable is an entry that was set aside because it, or a part of it, cannot be read as votes.
type Unreadable struct {
	// Queue and ID say where it was found, for instance "redis01" and "1700000000000-0".
	Queue, ID string
	// Reason says what is wrong with it.
	Reason string
	// Content is the entry as it was, quoted so that any bytes become printable text.
	Content string
}

// Backlog is the worker's side of one queue: the entries that no store is known to have yet. An entry handed out by one
// of the reading methods stays in the backlog until Acknowledge or SetAside. It is safe for concurrent use.
type Backlog interface {
	// Name is how logs and metrics call the queue, for instance "redis01".
	Name() string
	// Prepare makes the queue ready for reading; repeating it changes nothing.
	Prepare(ctx context.Context) error
	// Next hands out up to max entries that nobody was handed yet, waiting for the first one up to wait. No entries and no
	// error means that there were none.
	Next(ctx context.Context, max int, wait time.Duration) ([]Entry, error)
	// Unfinished lists up to max entries after the one with ID after ("" for the first) that were handed out to this very
	// worker, perhaps in an earlier life, and not acknowledged.
	Unfinished(ctx context.Context, max int, after string) ([]Entry, error)
	// TakeOver makes this worker's the entries that were handed to any worker at least idle ago and not acknowledged: up to
	// max of them, from cursor ("" to begin). It returns the cursor to go on from, "" at the end.
	TakeOver(ctx context.Context, max int, idle time.Duration, cursor string) ([]Entry, string, error)
	// Acknowledge takes the entries out of the queue for good. IDs that are not there any more are no error.
	Acknowledge(ctx context.Context, ids []string) error
	// SetAside moves an unreadable entry out of the way, whole and in one step, and keeps the reason with it.
	SetAside(ctx context.Context, id, reason string) error
	// SetAsides lists up to max of the entries that were set aside, and Discard forgets those listed, once they are kept
	// elsewhere.
	SetAsides(ctx context.Context, max int) ([]Unreadable, error)
	Discard(ctx context.Context, aside []Unreadable) error
	// Size is how many entries the queue holds, those handed out and not acknowledged included.
	Size(ctx context.Context) (int64, error)
	// AsideSize is how many entries are set aside.
	AsideSize(ctx context.Context) (int64, error)
}

// Store keeps each voter's latest vote.
type Store interface {
	// Prepare makes the store ready for saving, and so finds out whether it can be reached; repeating it changes nothing.
	Prepare(ctx context.Context) error
	// Save returns nil only when every one of the votes, or a later one by the same voter, is stored for good. It returns
	// how many voters are new or have changed. Repeating it changes nothing.
	Save(ctx context.Context, votes []Vote) (changed int64, err error)
	// KeepUnreadable stores entries that cannot be read, for a person to look at. Repeating it changes nothing.
	KeepUnreadable(ctx context.Context, aside []Unreadable) error
}

// Scoreboard tells the count.
type Scoreboard interface {
	// Tally is the count of all stored votes. A store that no worker has set up yet has no votes, which is no error.
	Tally(ctx context.Context) (Tally, error)
}
