package redis

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"swarm-scale/poll"
)

// healthLife is how long the proof of a write stays in Redis.
const healthLife = time.Minute

// gatherTime is how long the queue gathers votes between two writes while others are on the way. It saves both sides a sixth
// of their processor time, and is a fraction of what a disk takes to sync.
const gatherTime = 300 * time.Microsecond

// Redis takes 16 KiB from a connection in one step, about perConnection votes, and with appendfsync always it syncs to disk
// after each step. So the queue has several connections, and uses one more for each so many votes that are on the way: on
// a slow disk a step then takes all of them, and on a fast one the first connection is enough.
const (
	perConnection = 100
	connections   = 4
)

// Queue is the vote page's side of the stream. It implements poll.Queue.
//
// A vote is sent at once if no other is on the way, so a lone voter waits for nobody. Those that come while others are on the
// way go out together, in a write every gatherTime, so that under load Redis takes (and, with appendfsync always, syncs to
// disk) many votes per step.
type Queue struct {
	clients [connections]rueidis.Client
	onWay   atomic.Int64 // votes sent and not answered
	address string
}

var _ poll.Queue = (*Queue)(nil)

// NewQueue makes a queue in the Redis at address ("host:port"). Redis need not be up yet; the error is about the address.
func NewQueue(address string) (*Queue, error) {
	q := &Queue{address: address}
	for i := range q.clients {
		client, err := connect(address, func(option *rueidis.ClientOption) {
			option.ClientName = "web-vote-app"
			option.PipelineMultiplex = -1 // one connection
			option.AlwaysPipelining = true
			option.MaxFlushDelay = gatherTime // not for a command that is alone
			option.RingScaleEachConn = ringScale(i)
			option.ReadBufferEachConn = 16 << 10     // answers are 22 bytes
			option.WriteBufferEachConn = 64 << 10    // votes are 150 bytes
			option.BlockingPipeline = int(1<<31 - 1) // never taken for blocking commands
		})
		if err != nil {
			q.Close()
			return nil, err
		}
		q.clients[i] = client
	}
	return q, nil
}

// ringScale says for how many votes on the way a connection has room, as a power of two: 256 for each but the last, which
// takes all that come beyond, 4,096.
func ringScale(connection int) int {
	if connection < connections-1 {
		return 8
	}
	return 12
}

// Append implements poll.Queue. An error wraps poll.ErrUnavailable if trying again later may work.
func (q *Queue) Append(ctx context.Context, vote poll.Vote) error {
	client := q.clients[min((q.onWay.Add(1)-1)/perConnection, connections-1)]
	defer q.onWay.Add(-1)
	command := client.B().Xadd().Key(Stream).Id("*").FieldValue().
		FieldValue(voterField, vote.Voter.String()).
		FieldValue(choiceField, vote.Choice.String()).
		FieldValue(castAtField, formatMoment(vote.CastAt)).Build()
	return explain("queue the vote", q.address, client.Do(ctx, command).Error())
}

// CheckWritable implements poll.Queue with one key that is overwritten each time and expires. It makes the workers' group,
// too: a Redis that fills up before the first worker comes would refuse to make it then, and nobody could empty it.
func (q *Queue) CheckWritable(ctx context.Context) error {
	client := q.clients[0]
	command := client.B().Set().Key(healthKey).Value(time.Now().UTC().Format(time.RFC3339)).Ex(healthLife).Build()
	err := client.Do(ctx, command).Error()
	if err == nil {
		err = makeGroup(ctx, client)
	}
	return explain("write to redis", q.address, err)
}

// Close ends the connections. Votes on the way are answered first.
func (q *Queue) Close() {
	for _, client := range q.clients {
		if client != nil {
			client.Close()
		}
	}
}
