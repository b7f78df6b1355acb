package voters

import (
	"cmp"
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"swarm-scale/poll"
)

// Options say how the voters of a crowd behave.
type Options struct {
	// Sites are the vote pages. Each request goes to one of them, by chance.
	Sites []Site
	// Returning is the share of the votes by somebody who has voted before, from 0 to 1.
	Returning float64
	// Recent restricts those who return to the latest so many voters; 0 stands for all. The others have voted for the last
	// time, so nothing hides that their vote is lost.
	Recent int
	// ShortestPatience and LongestPatience are how long a voter waits for an answer. Zero stands for Patience.
	ShortestPatience, LongestPatience time.Duration
	// Seed makes the choices repeatable; 0 stands for another one each time.
	Seed uint64
	// Resolver looks up the names of the sites. Nil stands for the system's.
	Resolver *net.Resolver
}

// Crowd is all voters of a poll, who come by themselves. Its methods can be called concurrently.
type Crowd struct {
	options   Options
	transport *http.Transport

	mu     sync.Mutex
	books  *Books
	voted  []*Voter
	random uint64 // how many sources of chance there are
}

// maxSideBySide is how many voters Vote has vote at once.
const maxSideBySide = 8

// NewCrowd makes a crowd of nobody yet.
func NewCrowd(options Options) *Crowd {
	if options.ShortestPatience == 0 {
		options.ShortestPatience = Patience
	}
	options.Resolver = cmp.Or(options.Resolver, net.DefaultResolver)
	options.LongestPatience = max(options.LongestPatience, options.ShortestPatience)
	if options.Seed == 0 {
		options.Seed = rand.Uint64()
	}
	c := &Crowd{options: options, books: &Books{}}
	c.transport = &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: 5 * time.Second, DialContext: c.dial}
	return c
}

// connectTime is how long a browser waits for a connection before it tries the next address of a name.
const connectTime = time.Second

// dial connects to a site, as browsers do: to the first address of its name that takes the connection. The last one may take all the time
// that is left.
func (c *Crowd) dial(ctx context.Context, network, address string) (connection net.Conn, err error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{}
	if _, err := netip.ParseAddr(host); err == nil {
		return dialer.DialContext(ctx, network, address)
	}
	addresses, err := c.options.Resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	for i, one := range addresses {
		dialer.Timeout = connectTime
		if i == len(addresses)-1 {
			dialer.Timeout = 0
		}
		if connection, err = dialer.DialContext(ctx, network, net.JoinHostPort(one.String(), port)); err == nil {
			return connection, nil
		}
	}
	return nil, err
}

// Books are the books of all voters.
func (c *Crowd) Books() *Books {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.books
}

// Forget replaces the books with those of an empty poll, for a poll whose votes are gone.
func (c *Crowd) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.books, c.voted = &Books{}, nil
}

// Start has that many voters vote at once until Stop, or until ctx is done. Each rests before the next vote, for the given
// time on average.
func (c *Crowd) Start(ctx context.Context, together int, rest time.Duration) *Campaign {
	voting, cancel := context.WithCancel(ctx)
	campaign := &Campaign{cancel: cancel, begun: time.Now()}
	for range together {
		random := c.newRandom()
		campaign.running.Go(func() {
			for voting.Err() == nil {
				// A vote that has begun is not cut off: that would count as a failure of the poll.
				campaign.add(c.visit(ctx, random, random.Float64() < c.options.Returning)...)
				select {
				case <-voting.Done():
				case <-time.After(time.Duration(random.Int64N(int64(2*rest) + 1))):
				}
			}
		})
	}
	return campaign
}

// Vote has that many voters vote, some of them again, and returns what they saw.
func (c *Crowd) Vote(ctx context.Context, voters int) Observation {
	campaign := &Campaign{cancel: func() {}, begun: time.Now()}
	places := make(chan struct{}, maxSideBySide)
	for i := range voters {
		places <- struct{}{}
		random := c.newRandom()
		campaign.running.Go(func() {
			campaign.add(c.visit(ctx, random, float64(i%10) < 10*c.options.Returning)...)
			<-places
		})
	}
	campaign.running.Wait()
	return campaign.Stop()
}

// Look opens the vote page that many times, one after another. Each time it is another voter, who does not vote.
func (c *Crowd) Look(ctx context.Context, times int) Observation {
	campaign := &Campaign{cancel: func() {}, begun: time.Now()}
	random := c.newRandom()
	for range times {
		_, answer := c.newcomer(ctx, random, &Books{})
		campaign.add(answer)
	}
	return campaign.Stop()
}

// Settle has every voter in doubt vote again, until the vote is acknowledged. After it the books allow one tally only.
func (c *Crowd) Settle(ctx context.Context) error {
	c.mu.Lock()
	voted := slices.Clip(c.voted)
	c.mu.Unlock()
	random := c.newRandom()
	for _, v := range voted {
		for !v.Possible().Certain() {
			answer := v.Vote(ctx, c.site(random), v.OtherChoice(random))
			if ctx.Err() != nil {
				return answer.Err()
			}
			if answer.Kind != Good {
				time.Sleep(50 * time.Millisecond)
			}
		}
	}
	return nil
}

// visit is one voter at the poll: somebody new who opens the page and votes, or somebody who changes the vote.
func (c *Crowd) visit(ctx context.Context, random *rand.Rand, again bool) []Answer {
	if again {
		if v := c.someone(random); v != nil {
			return []Answer{v.Vote(ctx, c.site(random), v.OtherChoice(random))}
		}
	}
	v, answer := c.newcomer(ctx, random, c.Books())
	if answer.Kind != Good {
		return []Answer{answer}
	}
	vote := v.Vote(ctx, c.site(random), v.OtherChoice(random))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.voted = append(c.voted, v)
	return []Answer{answer, vote}
}

// newcomer is a new voter in front of the vote page.
func (c *Crowd) newcomer(ctx context.Context, random *rand.Rand, books *Books) (*Voter, Answer) {
	v, err := books.NewVoter()
	if err != nil {
		now := time.Now()
		return nil, Answer{Request: "page", Kind: Unanswered, Reason: err.Error(), Begun: now, End: now}
	}
	v.transport = c.transport
	v.Patience = c.options.ShortestPatience +
		time.Duration(random.Int64N(int64(c.options.LongestPatience-c.options.ShortestPatience)+1))
	return v, v.Look(ctx, c.site(random))
}

// someone is a voter who has voted before and is not voting now; nil if none is found.
func (c *Crowd) someone(random *rand.Rand) *Voter {
	c.mu.Lock()
	voted := slices.Clip(c.voted)
	c.mu.Unlock()
	if c.options.Recent > 0 {
		voted = voted[max(0, len(voted)-c.options.Recent):]
	}
	for range min(20, len(voted)) {
		v := voted[random.IntN(len(voted))]
		if v.busy.TryLock() {
			v.busy.Unlock()
			return v
		}
	}
	return nil
}

func (c *Crowd) site(random *rand.Rand) Site {
	return c.options.Sites[random.IntN(len(c.options.Sites))]
}

// newRandom is a source of chance for one goroutine.
func (c *Crowd) newRandom() *rand.Rand {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.random++
	return rand.New(rand.NewPCG(c.options.Seed, c.random))
}

// Count adds somebody else's vote to the books.
func (c *Crowd) Count(choice poll.Choice) { c.Books().Open().Acknowledged(choice) }
