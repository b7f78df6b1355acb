// Package redis keeps the queue of votes in Redis 6.2 or newer: one stream, which the vote page appends to ([Queue]) and
// the workers, a consumer group, take from ([Backlog]). Entries that cannot be read become dead letters, in a second stream.
//
// How safe an acknowledged vote is depends on Redis's settings. With the append-only file on, Redis writes an entry to the file
// before it answers, so a killed process loses nothing. appendfsync always also survives a power cut; everysec may lose the
// last two seconds then.
package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"swarm-scale/poll"
)

// Names of what is kept in Redis.
const (
	// Stream holds the votes that no worker has stored yet.
	Stream = "votes"
	// DeadLetterStream holds the dead letters, each with the fields "entry" (its ID in Stream), "reason" and then its own. The
	// key is the one that queues know already.
	DeadLetterStream = "votes-unreadable"
	// Group is the consumer group of the workers.
	Group = "workers"
	// healthKey is written to find out whether Redis takes writes. It expires by itself.
	healthKey = "votes-health"
)

const (
	dialTimeout = time.Second
	// answerTimeout is how long Redis may take for one answer before the connection counts as dead. It is longer than an fsync of
	// a slow disk, during which Redis answers nobody.
	answerTimeout = 6 * time.Second
)

// Option says how to connect to Redis.
type Option func(*rueidis.ClientOption)

// WithPassword logs in with this password. An empty one logs in with none. A Redis that wants none takes any.
func WithPassword(password string) Option {
	return func(option *rueidis.ClientOption) { option.Password = password }
}

// connect makes a client that connects when it is used, and again when the connection is lost, so that Redis need not be up
// yet. It does not repeat commands: the caller decides what to do about a failure.
func connect(address string, options []Option, adjust Option) (rueidis.Client, error) {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, fmt.Errorf("redis address %q: %w: write it as host:port, for instance redis01:6379", address, err)
	}
	option := rueidis.ClientOption{
		InitAddress:       []string{address},
		ForceSingleClient: true,
		DisableCache:      true,
		DisableRetry:      true,
		Dialer:            net.Dialer{Timeout: dialTimeout, KeepAlive: 2 * time.Second},
		ConnWriteTimeout:  answerTimeout,
	}
	for _, set := range append(options, adjust) {
		set(&option)
	}
	client, err := rueidis.NewClient(option)
	if client == nil {
		return nil, fmt.Errorf("redis client for %s: %w", address, err)
	}
	return client, nil // an err with a client means that Redis does not answer yet
}

// makeGroup makes the workers' group, from the first entry on, and with it the stream, unless they are there. It first asks
// whether the group is there, by a command that only reads: Redis out of memory refuses XGROUP CREATE even when the group
// exists, and workers must go on then, because they free memory.
func makeGroup(ctx context.Context, client rueidis.Client) error {
	err := client.Do(ctx, client.B().Xpending().Key(Stream).Group(Group).Build()).Error()
	answer, isAnswer := rueidis.IsRedisErr(err)
	if err == nil || !isAnswer || !strings.HasPrefix(answer.Error(), "NOGROUP") {
		return err
	}
	err = client.Do(ctx, client.B().XgroupCreate().Key(Stream).Group(Group).Id("0").Mkstream().Build()).Error()
	if answer, ok := rueidis.IsRedisErr(err); ok && answer.IsBusyGroup() {
		return nil // another program made it meanwhile
	}
	return err
}

// explain wraps an error from Redis with what was tried, and with poll.ErrUnavailable if trying again later may help.
func explain(what, address string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s at %s: %w", what, address, err)
	}
	if answer, ok := rueidis.IsRedisErr(err); ok && !isTemporary(answer.Error()) {
		return fmt.Errorf("%s at %s: %w", what, address, err)
	}
	return fmt.Errorf("%s at %s: %w: %w", what, address, poll.ErrUnavailable, err)
}

// isTemporary reports whether an answer of Redis means "not now", rather than that the command is wrong.
func isTemporary(answer string) bool {
	for _, code := range []string{
		"OOM",         // out of its memory limit
		"MISCONF",     // cannot write its files
		"LOADING",     // reading its files after a start
		"BUSY ",       // running a script
		"READONLY",    // a replica
		"MASTERDOWN",  // a replica without its primary
		"NOREPLICAS",  // fewer replicas than demanded
		"NOGROUP",     // lost its data; Prepare makes the group again
		"CLUSTERDOWN", // not whole
		"TRYAGAIN",
		"NOAUTH",    // it has got a password, and this program has not yet
		"WRONGPASS", // it has got another password than this program
		"ERR max number of clients reached",
	} {
		if strings.HasPrefix(answer, code) {
			return true
		}
	}
	return false
}
