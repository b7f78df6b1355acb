package redis

import (
	"context"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"swarm-scale/poll"
)

var (
	//go:embed acknowledge.lua
	acknowledgeSource string
	//go:embed dead_letter.lua
	deadLetterSource string
)

// maxStep is how many entries one command acknowledges: Redis is busy with so many for a few milliseconds.
const maxStep = 1000

// Backlog is one consumer's side of the stream. It implements poll.Backlog.
type Backlog struct {
	client      rueidis.Client
	address     string
	name        string
	consumer    string
	acknowledge *rueidis.Lua
	deadLetter  *rueidis.Lua
	first       first
}

var _ poll.Backlog = (*Backlog)(nil)

// NewBacklog makes the backlog of the Redis at address ("host:port") for one consumer of the workers' group, for instance
// "worker01". A consumer of the same name finds its unfinished entries again after a restart. Redis need not be up yet; the
// error is about the address.
func NewBacklog(address, consumer string, options ...Option) (*Backlog, error) {
	client, err := connect(address, options, func(option *rueidis.ClientOption) {
		option.ClientName = consumer
		option.PipelineMultiplex = -1
		option.RingScaleEachConn = 8
		option.ReadBufferEachConn = 128 << 10
		option.WriteBufferEachConn = 64 << 10
		option.BlockingPoolSize = 4
	})
	if err != nil {
		return nil, err
	}
	return &Backlog{
		client:      client,
		address:     address,
		name:        NameOf(address),
		consumer:    consumer,
		acknowledge: rueidis.NewLuaScript(acknowledgeSource),
		deadLetter:  rueidis.NewLuaScript(deadLetterSource),
	}, nil
}

// Name implements poll.Backlog.
func (b *Backlog) Name() string { return b.name }

// standardPort is where Redis listens unless it is told otherwise.
const standardPort = "6379"

// NameOf is the host of an address if the port is Redis's standard one, and the whole address otherwise. So no two
// addresses have the same name. Backlogs and their notes in the database go by it.
func NameOf(address string) string {
	if host, port, err := net.SplitHostPort(address); err == nil && port == standardPort {
		return host
	}
	return address
}

// Prepare implements poll.Backlog: it makes the group, from the first entry on, and with it the stream.
func (b *Backlog) Prepare(ctx context.Context) error {
	return explain("make the workers' group", b.address, makeGroup(ctx, b.client))
}

// Next implements poll.Backlog.
func (b *Backlog) Next(ctx context.Context, max int, wait time.Duration) ([]poll.Entry, error) {
	// After the wait and the time for an answer Redis counts as gone, even if the connection still looks alive.
	ctx, cancel := context.WithTimeout(ctx, wait+answerTimeout)
	defer cancel()
	command := b.client.B().Xreadgroup().Group(Group, b.consumer).Count(int64(max))
	var result rueidis.RedisResult
	if wait >= time.Millisecond {
		// Who is told to stop need not wait for a vote. Entries handed out at that very moment stay unfinished.
		result = b.client.Do(ctx, command.Block(wait.Milliseconds()).Streams().Key(Stream).Id(">").Build().UnblockOnCancel())
	} else {
		result = b.client.Do(ctx, command.Streams().Key(Stream).Id(">").Build())
	}
	return b.readStreams("read the queue", result)
}

// Unfinished implements poll.Backlog.
func (b *Backlog) Unfinished(ctx context.Context, max int, after string) ([]poll.Entry, error) {
	if after == "" {
		after = "0"
	}
	command := b.client.B().Xreadgroup().Group(Group, b.consumer).Count(int64(max)).Streams().Key(Stream).Id(after).Build()
	return b.readStreams("read the unfinished entries", b.client.Do(ctx, command))
}

// readStreams reads the answer to XREADGROUP of one stream; a nil answer means that nothing came.
func (b *Backlog) readStreams(what string, result rueidis.RedisResult) ([]poll.Entry, error) {
	streams, err := result.AsXReadSlices()
	if rueidis.IsRedisNil(err) {
		return nil, nil
	}
	if err != nil {
		return nil, explain(what, b.address, err)
	}
	return readEntries(streams[Stream]), nil
}

// TakeOver implements poll.Backlog.
func (b *Backlog) TakeOver(ctx context.Context, max int, idle time.Duration, cursor string) ([]poll.Entry, string, error) {
	if cursor == "" {
		cursor = "0-0"
	}
	command := b.client.B().Xautoclaim().Key(Stream).Group(Group).Consumer(b.consumer).
		MinIdleTime(strconv.FormatInt(idle.Milliseconds(), 10)).Start(cursor).Count(int64(max)).Build()
	fail := func(err error) ([]poll.Entry, string, error) {
		return nil, "", explain("take over unfinished entries", b.address, err)
	}
	answer, err := b.client.Do(ctx, command).ToArray()
	if err != nil {
		return fail(err)
	}
	if len(answer) < 2 {
		return fail(fmt.Errorf("answer has %d parts, want the cursor and the entries", len(answer)))
	}
	next, err := answer[0].ToString()
	if err != nil {
		return fail(err)
	}
	if next == "0-0" {
		next = ""
	}
	raw, err := answer[1].AsXRangeSlices()
	if err != nil {
		return fail(err)
	}
	return readEntries(raw), next, nil
}

// HasAbandoned implements poll.Backlog.
func (b *Backlog) HasAbandoned(ctx context.Context, idle time.Duration) (bool, error) {
	command := b.client.B().Xpending().Key(Stream).Group(Group).Idle(idle.Milliseconds()).Start("-").End("+").Count(1).Build()
	found, err := b.client.Do(ctx, command).ToArray()
	return len(found) > 0, explain("look for unfinished entries", b.address, err)
}

// handedBack is how long ago an entry that is handed back counts as handed out: longer than anybody waits for a consumer.
const handedBack = 24 * time.Hour

// HandBack implements poll.Backlog.
func (b *Backlog) HandBack(ctx context.Context) error {
	const what = "hand back unfinished entries"
	for start := "-"; ; {
		command := b.client.B().Xpending().Key(Stream).Group(Group).Start(start).End("+").Count(maxStep).Consumer(b.consumer).Build()
		pending, err := b.client.Do(ctx, command).ToArray()
		if err != nil || len(pending) == 0 {
			return explain(what, b.address, err)
		}
		ids := make([]string, len(pending))
		for i, entry := range pending {
			parts, err := entry.ToArray()
			if err == nil && len(parts) == 0 {
				err = errors.New("an unfinished entry has no ID")
			}
			if err == nil {
				ids[i], err = parts[0].ToString()
			}
			if err != nil {
				return explain(what, b.address, err)
			}
		}
		claim := b.client.B().Xclaim().Key(Stream).Group(Group).Consumer(b.consumer).MinIdleTime("0").Id(ids...).
			Idle(handedBack.Milliseconds()).Justid().Build()
		if err := b.client.Do(ctx, claim).Error(); err != nil {
			return explain(what, b.address, err)
		}
		start = "(" + ids[len(ids)-1]
	}
}

// Acknowledge implements poll.Backlog, in several steps: Redis does one thing at a time, and voters wait.
func (b *Backlog) Acknowledge(ctx context.Context, ids []string) error {
	if !slices.IsSortedFunc(ids, compareIDs) {
		ids = slices.SortedFunc(slices.Values(ids), compareIDs)
	}
	for part := range slices.Chunk(ids, maxStep) {
		err := b.acknowledge.Exec(ctx, b.client, []string{Stream}, append([]string{Group}, part...)).Error()
		if err != nil {
			return explain("acknowledge stored votes", b.address, err)
		}
	}
	return nil
}

// MoveToDeadLetters implements poll.Backlog.
func (b *Backlog) MoveToDeadLetters(ctx context.Context, id, reason string) error {
	err := b.deadLetter.Exec(ctx, b.client, []string{Stream, DeadLetterStream}, []string{Group, id, reason}).Error()
	return explain("move an entry to the dead letters", b.address, err)
}

// DeadLetters implements poll.Backlog. The IDs are those in the stream of dead letters; the ID that the entry had in the
// queue is part of the content.
func (b *Backlog) DeadLetters(ctx context.Context, max int) ([]poll.DeadLetter, error) {
	command := b.client.B().Xrange().Key(DeadLetterStream).Start("-").End("+").Count(int64(max)).Build()
	raw, err := b.client.Do(ctx, command).AsXRangeSlices()
	if err != nil {
		return nil, explain("read the dead letters", b.address, err)
	}
	letters := make([]poll.DeadLetter, len(raw))
	for i, entry := range raw {
		letters[i] = poll.DeadLetter{Queue: b.name, ID: entry.ID}
		var content strings.Builder
		for position, field := range entry.FieldValues {
			// MoveToDeadLetters writes the reason second; a field of the entry itself may have the same name.
			if position == 1 && field.Field == "reason" {
				letters[i].Reason = strconv.QuoteToGraphic(field.Value)
				continue
			}
			fmt.Fprintf(&content, "%q=%q ", field.Field, field.Value)
		}
		letters[i].Content = strings.TrimSuffix(content.String(), " ")
	}
	return letters, nil
}

// DiscardDeadLetters implements poll.Backlog.
func (b *Backlog) DiscardDeadLetters(ctx context.Context, letters []poll.DeadLetter) error {
	if len(letters) == 0 {
		return nil
	}
	ids := make([]string, len(letters))
	for i := range letters {
		ids[i] = letters[i].ID
	}
	err := b.client.Do(ctx, b.client.B().Xdel().Key(DeadLetterStream).Id(ids...).Build()).Error()
	return explain("discard dead letters", b.address, err)
}

// first is the first entry of a queue, and since when it was seen there.
type first struct {
	mu    sync.Mutex
	id    string
	since time.Time
}

// stays returns for how long this entry has been seen as the first one.
func (f *first) stays(id string) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.id != id {
		f.id, f.since = id, time.Now()
	}
	return time.Since(f.since)
}

// Behind implements poll.Backlog. Both times are by the clock of Redis. If that was set back, new entries still get times after those of
// older ones, and are in the future. Then it counts for how long the first entry has been seen.
func (b *Backlog) Behind(ctx context.Context) (time.Duration, error) {
	const what = "look how far behind the queue is"
	answers := b.client.DoMulti(ctx,
		b.client.B().Xrange().Key(Stream).Start("-").End("+").Count(1).Build(),
		b.client.B().Time().Build())
	entries, err := answers[0].AsXRangeSlices()
	if err != nil {
		return 0, explain(what, b.address, err)
	}
	clock, err := answers[1].AsIntSlice()
	if err != nil {
		return 0, explain(what, b.address, err)
	}
	if len(entries) == 0 {
		return 0, nil
	}
	if len(clock) != 2 {
		return 0, fmt.Errorf("%s at %s: the time has %d parts, want seconds and microseconds", what, b.address, len(clock))
	}
	return max(b.first.stays(entries[0].ID), time.Unix(clock[0], clock[1]*1000).Sub(queuedAt(entries[0].ID))), nil
}

// Size implements poll.Backlog.
func (b *Backlog) Size(ctx context.Context) (int64, error) {
	size, err := b.client.Do(ctx, b.client.B().Xlen().Key(Stream).Build()).AsInt64()
	return size, explain("measure the queue", b.address, err)
}

// DeadLetterCount implements poll.Backlog.
func (b *Backlog) DeadLetterCount(ctx context.Context) (int64, error) {
	size, err := b.client.Do(ctx, b.client.B().Xlen().Key(DeadLetterStream).Build()).AsInt64()
	return size, explain("count the dead letters", b.address, err)
}

// Close ends the connections.
func (b *Backlog) Close() { b.client.Close() }
