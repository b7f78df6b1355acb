package voters

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"swarm-scale/poll"
	"swarm-scale/test/eventually"
)

// Results is what a results page shows.
type Results struct {
	Tally poll.Tally
	// Live is false while the page cannot read the database, or some queue is not handed over to it.
	Live bool
}

// ReadResults reads /results.json of the results page at a base URL, such as "http://192.168.33.250".
func ReadResults(ctx context.Context, baseURL string) (Results, error) {
	return readResults(ctx, http.DefaultClient, Site{URL: baseURL})
}

// ReadResults reads the results page at a site. It finds and reaches the page as the crowd's voters do.
func (c *Crowd) ReadResults(ctx context.Context, page Site) (Results, error) {
	return readResults(ctx, &http.Client{Transport: c.transport}, page)
}

func readResults(ctx context.Context, client *http.Client, page Site) (Results, error) {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page.URL+"/results.json", nil)
	if err != nil {
		return Results{}, err
	}
	if page.Host != "" {
		request.Host = page.Host
	}
	response, err := client.Do(request)
	if err != nil {
		return Results{}, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return Results{}, fmt.Errorf("the results page answered with %s", response.Status)
	}
	var shown struct {
		Options []struct {
			ID    string
			Votes int64
		}
		Total int64
		Live  bool
	}
	if err := json.NewDecoder(response.Body).Decode(&shown); err != nil {
		return Results{}, fmt.Errorf("read the results: %w", err)
	}
	if len(shown.Options) != 2 || shown.Options[0].ID != "a" || shown.Options[1].ID != "b" ||
		shown.Total != shown.Options[0].Votes+shown.Options[1].Votes {
		return Results{}, fmt.Errorf("the results are %+v, want the options a and b and their total", shown)
	}
	return Results{Tally: poll.Tally{A: shown.Options[0].Votes, B: shown.Options[1].Votes}, Live: shown.Live}, nil
}

// AwaitResults waits until the results page at a base URL is live and shows a tally that the books allow. It returns how
// long that took. The error says what the page shows.
func (b *Books) AwaitResults(ctx context.Context, baseURL string, within time.Duration) (took time.Duration, err error) {
	return b.awaitResults(ctx, within, func() (Results, error) { return ReadResults(ctx, baseURL) })
}

// AwaitResults is that of the books, for a results page at a site. It finds and reaches the page as the crowd's voters do.
func (c *Crowd) AwaitResults(ctx context.Context, page Site, within time.Duration) (took time.Duration, err error) {
	return c.Books().awaitResults(ctx, within, func() (Results, error) { return c.ReadResults(ctx, page) })
}

func (b *Books) awaitResults(ctx context.Context, within time.Duration, read func() (Results, error)) (time.Duration, error) {
	return eventually.Wait(ctx, within, func() error {
		results, err := read()
		if err != nil {
			return err
		}
		if !results.Live {
			return fmt.Errorf("the results %+v are not live", results.Tally)
		}
		return b.Bounds().Check(results.Tally)
	})
}

// ReadStored reads the choice of each voter from the poll's database.
func ReadStored(ctx context.Context, connection *pgx.Conn) (map[poll.VoterID]poll.Choice, error) {
	rows, err := connection.Query(ctx, "SELECT voter, choice::text FROM votes")
	if err != nil {
		return nil, err
	}
	stored := map[poll.VoterID]poll.Choice{}
	var id [16]byte
	var choice string
	_, err = pgx.ForEachRow(rows, []any{&id, &choice}, func() error {
		stored[id] = poll.Choice(choice[0])
		return nil
	})
	return stored, err
}

// TallyOf counts what is stored.
func TallyOf(stored map[poll.VoterID]poll.Choice) (tally poll.Tally) {
	for _, choice := range stored {
		switch choice {
		case poll.A:
			tally.A++
		case poll.B:
			tally.B++
		}
	}
	return tally
}
