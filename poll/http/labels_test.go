package http

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"swarm-scale/poll"
)

// A label that runs from right to left keeps its punctuation at its own end, in sentences and alone.
func TestLabelsRunInTheirDirection(t *testing.T) {
	ballot, err := poll.NewBallot("חתול!", "Dogs")
	if err != nil {
		t.Fatal(err)
	}
	app := newVoteApp(t, &memoryQueue{}, func(o *VoteOptions) { o.Ballot = ballot })
	page := bodyOf(t, answer(app, httptest.NewRequest(http.MethodGet, "/", nil)))
	thanks := bodyOf(t, answer(app, form("vote=a", newcomer(t, app))))
	results, err := NewResultsApp(ResultsOptions{Ballot: ballot, Scoreboard: &memoryBoard{}, Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	_, shown := fetch(t, results, "/")
	const isolated, alone = "\u2068חתול!\u2069", `<span class="label" dir="auto">חתול!<`
	for _, text := range []string{page, shown} {
		if !strings.Contains(text, "<h1>"+isolated+" or Dogs?") || !strings.Contains(text, isolated+" or Dogs?</title>") || !strings.Contains(text, alone) {
			t.Errorf("the label runs in the direction of the page:\n%s", text)
		}
	}
	if !strings.Contains(thanks, "Your vote for "+isolated+" is in.") {
		t.Error("the label runs in the direction of the sentence")
	}
}

// Labels come to voters and viewers as they are, with all their joiners and marks.
func TestLabelsReachThePagesUnchanged(t *testing.T) {
	for _, pair := range [][2]string{
		{"🐈\u200d⬛", "🐕\u200d🦺"},
		{"گربه\u200cها", "سگ\u200cها"},
		{"Grands\u00a0chats", "Chiens\u202f!"},
		{"🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", "חתול\u200f!"},
		{"क्\u200dष", "葛\U000e0100城"},
		{"Haus\u00adkatze", "👍🏽\u2060!"},
	} {
		ballot, err := poll.NewBallot(pair[0], pair[1])
		if err != nil {
			t.Fatal(err)
		}
		queue := &memoryQueue{}
		app := newVoteApp(t, queue, func(o *VoteOptions) { o.Ballot = ballot })
		page := bodyOf(t, answer(app, httptest.NewRequest(http.MethodGet, "/", nil)))
		thanks := bodyOf(t, answer(app, form("vote=b", newcomer(t, app))))
		results, err := NewResultsApp(ResultsOptions{Ballot: ballot, Scoreboard: &memoryBoard{}, Registerer: prometheus.NewRegistry()})
		if err != nil {
			t.Fatal(err)
		}
		_, shown := fetch(t, results, "/")
		_, text := fetch(t, results, "/results.json")
		var told struct{ Options []struct{ Label string } }
		if err := json.Unmarshal([]byte(text), &told); err != nil || len(told.Options) != 2 {
			t.Fatalf("the JSON is %s (%v)", text, err)
		}
		for i, label := range pair {
			if !strings.Contains(page, ">"+label+"<") || !strings.Contains(shown, ">"+label+"<") || told.Options[i].Label != label {
				t.Errorf("the label %+q is changed on its way", label)
			}
		}
		if !strings.Contains(thanks, "Your vote for "+inSentence(pair[1])+" is in.") || len(queue.votes) != 1 || queue.votes[0].Choice != poll.B {
			t.Errorf("the vote for %+q is not taken: %+v", pair[1], queue.votes)
		}
	}
}
