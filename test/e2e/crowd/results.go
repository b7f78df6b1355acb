package crowd

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Results is what a results page says, as its /results.json has it.
type Results struct {
	Options []struct {
		ID    string `json:"id"`
		Votes int64  `json:"votes"`
	} `json:"options"`
	Total int64 `json:"total"`
	Live  bool  `json:"live"`
}

// ReadResults asks the results page at an address such as "192.168.33.250".
func ReadResults(ctx context.Context, address string) (Results, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var results Results
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/results.json", nil)
	if err != nil {
		return results, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return results, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return results, fmt.Errorf("the results page answers with %s", response.Status)
	}
	if err := json.NewDecoder(response.Body).Decode(&results); err != nil {
		return results, fmt.Errorf("the results cannot be read: %w", err)
	}
	if len(results.Options) != 2 {
		return results, fmt.Errorf("the results have %d options, want 2", len(results.Options))
	}
	return results, nil
}

// AwaitTally waits until the results page at the address is live and shows exactly what the crowd's books say, and returns
// how long that took. The error says what it shows instead.
func (c *Crowd) AwaitTally(ctx context.Context, address string, within time.Duration) (time.Duration, error) {
	begun := time.Now()
	a, b := c.Tally()
	for {
		results, err := ReadResults(ctx, address)
		if err == nil {
			if results.Live && results.Options[0].Votes == a && results.Options[1].Votes == b && results.Total == a+b {
				return time.Since(begun), nil
			}
			err = fmt.Errorf("it shows %d to %d, live %v", results.Options[0].Votes, results.Options[1].Votes, results.Live)
		}
		if ctx.Err() != nil || time.Since(begun) > within {
			return time.Since(begun), fmt.Errorf("the results page does not show the voters' own books, %d to %d, within %s: %w", a, b, within, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
