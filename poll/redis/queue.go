package redis

import (
	"context"
	"time"

	"github.com/redis/rueidis"

	"swarm-scale/poll"
)

// healthLife is how long the proof of a write stays in Redis.
const healthLife = time.Minute

// gatherTime is how long the queue gathers votes between two writes while others are on the way. It saves both sides a sixth
// of their processor time, and is a fraction of what a disk takes to sync.
const gatherTime = 300 * time.Microsecond

// Queue is the vote page's side of the stream. It implements poll.Queue.
//
// All votes go through one connection. A vote is sent at once if no other is on the way, so a lone voter waits for nobody.
// Those that come while others are on the way go out together, in a write every gatherTime, so that under load Redis takes
// (and, with appendfsync always, syncs to disk) many votes per step.
type Queue struct {
	client  rueidis.Client
	address string
}

var _ poll.Queue = (*Queue)(nil)

// NewQueue makes a queue in the Redis at address ("host:port"). Redis need not be up yet; the error is about the address.
func NewQueue(address string) (*Queue, error) {
	client, err := connect(address, func(option *rueidis.ClientOption) {
		option.ClientName = "web-vote-app"
		option.PipelineMultiplex = -1 // one connection
		option.AlwaysPipelining = true
		option.MaxFlushDelay = gatherTime        // not for a command that is alone
		option.RingScaleEachConn = 12            // up to 4,096 votes on the way
		option.ReadBufferEachConn = 64 << 10     // answers are 22 bytes
		option.WriteBufferEachConn = 256 << 10   // votes are 150 bytes
		option.BlockingPipeline = int(1<<31 - 1) // never taken for blocking commands
	})
	if err != nil {
		return nil, err
	}
	return &Queue{client: client, address: address}, nil
}

// Append implements poll.Queue. An error wraps poll.ErrUnavailable if trying again later may work.
func (q *Queue) Append(ctx context.Context, vote poll.Vote) error {
	command := q.client.B().Xadd().Key(Stream).Id("*").FieldValue().
		FieldValue(voterField, vote.Voter.String()).
		FieldValue(choiceField, vote.Choice.String()).
		FieldValue(castAtField, formatMoment(vote.CastAt)).Build()
	return explain("queue the vote", q.address, q.client.Do(ctx, command).Error())
}

// CheckWritable implements poll.Queue with one key that is overwritten each time and expires. It makes the workers' group,
// too: a Redis that fills up before the first worker comes would refuse to make it then, and nobody could empty it.
func (q *Queue) CheckWritable(ctx context.Context) error {
	command := q.client.B().Set().Key(healthKey).Value(time.Now().UTC().Format(time.RFC3339)).Ex(healthLife).Build()
	err := q.client.Do(ctx, command).Error()
	if err == nil {
		err = makeGroup(ctx, q.client)
	}
	return explain("write to redis", q.address, err)
}

// Close ends the connection. Votes on the way are answered first.
func (q *Queue) Close() { q.client.Close() }
