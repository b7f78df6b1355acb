package redis

import (
	"context"
	_ "embed" // the scripts
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"swarm-scale/poll"
)

var (
	//go:embed acknowledge.lua
	acknowledgeSource string
	//go:embed set_aside.lua
	setAsideSource string
)

// maxStep is how many entries one command acknowledges: Redis is busy with so many for a few milliseconds.
const maxStep = 1000

// Backlog is a worker's side of one stream. It implements poll.Backlog.
type Backlog struct {
	client      rueidis.Client
	address     string
	name        string
	worker      string
	acknowledge *rueidis.Lua
	setAside    *rueidis.Lua
}

var _ poll.Backlog = (*Backlog)(nil)

// NewBacklog makes the backlog of the Redis at address ("host:port") for one worker. The worker's name, for instance
// "worker01", tells it from others on the same queue, and a worker that is started again finds its unfinished entries by
// it. Redis need not be up yet; the error is about the address.
func NewBacklog(address, worker string) (*Backlog, error) {
	client, err := connect(address, func(option *rueidis.ClientOption) {
		option.ClientName = worker
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
		name:        nameOf(address),
		worker:      worker,
		acknowledge: rueidis.NewLuaScript(acknowledgeSource),
		setAside:    rueidis.NewLuaScript(setAsideSource),
	}, nil
}

// Name implements poll.Backlog.
func (b *Backlog) Name() string { return b.name }

// standardPort is where Redis listens unless it is told otherwise.
const standardPort = "6379"

// nameOf is the host of an address if the port is Redis's standard one, and the whole address otherwise. So no two
// addresses have the same name.
func nameOf(address string) string {
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
	// Beyond the wait and the time for an answer Redis is not there, even if the connection still looks alive.
	ctx, cancel := context.WithTimeout(ctx, wait+answerTimeout)
	defer cancel()
	command := b.client.B().Xreadgroup().Group(Group, b.worker).Count(int64(max))
	var result rueidis.RedisResult
	if wait >= time.Millisecond {
		// A worker that is told to stop need not wait for a vote. Entries handed out at that very moment stay unfinished.
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
	command := b.client.B().Xreadgroup().Group(Group, b.worker).Count(int64(max)).Streams().Key(Stream).Id(after).Build()
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
	command := b.client.B().Xautoclaim().Key(Stream).Group(Group).Consumer(b.worker).
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

// Acknowledge implements poll.Backlog. It does so in several steps, for Redis does one thing at a time, and voters wait.
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

// SetAside implements poll.Backlog.
func (b *Backlog) SetAside(ctx context.Context, id, reason string) error {
	err := b.setAside.Exec(ctx, b.client, []string{Stream, UnreadableStream}, []string{Group, id, reason}).Error()
	return explain("set an unreadable entry aside", b.address, err)
}

// SetAsides implements poll.Backlog. The IDs are those in the stream of unreadable entries; the entry's first ID is part
// of the content.
func (b *Backlog) SetAsides(ctx context.Context, max int) ([]poll.Unreadable, error) {
	command := b.client.B().Xrange().Key(UnreadableStream).Start("-").End("+").Count(int64(max)).Build()
	raw, err := b.client.Do(ctx, command).AsXRangeSlices()
	if err != nil {
		return nil, explain("read the unreadable entries", b.address, err)
	}
	aside := make([]poll.Unreadable, len(raw))
	for i, entry := range raw {
		aside[i] = poll.Unreadable{Queue: b.name, ID: entry.ID}
		var content strings.Builder
		for position, field := range entry.FieldValues {
			// What SetAside wrote comes first; a field of the entry itself may have the same name.
			if position == 1 && field.Field == "reason" {
				aside[i].Reason = strconv.QuoteToGraphic(field.Value)
				continue
			}
			fmt.Fprintf(&content, "%q=%q ", field.Field, field.Value)
		}
		aside[i].Content = strings.TrimSuffix(content.String(), " ")
	}
	return aside, nil
}

// Discard implements poll.Backlog.
func (b *Backlog) Discard(ctx context.Context, aside []poll.Unreadable) error {
	if len(aside) == 0 {
		return nil
	}
	ids := make([]string, len(aside))
	for i := range aside {
		ids[i] = aside[i].ID
	}
	err := b.client.Do(ctx, b.client.B().Xdel().Key(UnreadableStream).Id(ids...).Build()).Error()
	return explain("forget unreadable entries that are kept elsewhere", b.address, err)
}

// Size implements poll.Backlog.
func (b *Backlog) Size(ctx context.Context) (int64, error) {
	size, err := b.client.Do(ctx, b.client.B().Xlen().Key(Stream).Build()).AsInt64()
	return size, explain("measure the queue", b.address, err)
}

// AsideSize implements poll.Backlog.
func (b *Backlog) AsideSize(ctx context.Context) (int64, error) {
	size, err := b.client.Do(ctx, b.client.B().Xlen().Key(UnreadableStream).Build()).AsInt64()
	return size, explain("count the unreadable entries", b.address, err)
}

// Close ends the connections.
func (b *Backlog) Close() { b.client.Close() }
