package http

import (
	"strconv"
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// resultsPage is the page that shows the results.
func resultsPage(r results, style, script string) g.Node {
	question := question(r.Options[0].Label, r.Options[1].Label)
	status, bodyClass := statusOf(r)
	return layout(frame{
		title:     "Results: " + question,
		bodyClass: bodyClass,
		kicker:    "The results",
		style:     style,
		head:      h.NoScript(h.Meta(g.Attr("http-equiv", "refresh"), h.Content("5"))),
		foot:      h.P(g.Text("Each voter counts once, for the latest choice.")),
		main: g.Group{
			h.H1(g.Text(question)), newline,
			h.Div(h.Class("notice bad"), h.ID("trouble"), h.Role("alert"), g.If(r.Live, g.Attr("hidden")),
				h.P(g.Text(r.Trouble))), newline,
			h.Ul(h.Class("results"), newline, g.Map(r.Options, resultRow)), newline,
			h.P(h.Class("total"),
				h.Span(h.Strong(h.ID("total"), g.Text(countText(r.Total)+" in all"))),
				h.Span(h.Class("status"), h.ID("status"), g.Text(status))), newline,
			h.P(h.Class("unseen"), h.ID("spoken"), h.Aria("live", "polite")), newline,
			h.Script(g.Raw(script)),
		},
	})
}

// resultRow is one option with its share and its bar.
func resultRow(option optionResult) g.Node {
	share := strconv.FormatFloat(option.Share, 'f', 1, 64) + "%"
	return g.Group{
		h.Li(h.Class("result"), h.Data("option", option.ID),
			h.Span(h.Class("label"), h.Dir("auto"), g.Text(option.Label)),
			h.Span(h.Class("share"), g.Text(share)),
			h.SVG(h.Class("bar"), h.Role("img"), h.Aria("label", inSentence(option.Label)+": "+share),
				g.El("rect", h.Class(option.ID), h.Width(share), h.Height("100%"))),
			h.Span(h.Class("votes"), g.Text(countText(option.Votes)))),
		newline,
	}
}

// statusOf says how fresh the results are, and the class of the body for it.
func statusOf(r results) (status, bodyClass string) {
	clock := ""
	if asOf, err := time.Parse(time.RFC3339Nano, r.AsOf); err == nil {
		clock = asOf.Format("15:04:05 UTC")
	}
	switch {
	case r.Live:
		return "Live · " + clock, ""
	case clock != "":
		return "As of " + clock, "stale"
	}
	if r.Total > 0 {
		return "Not live", "stale"
	}
	return "No count yet", "stale"
}

// countText is a number of votes in words: "1 vote", "1,234,567 votes".
func countText(n int64) string {
	digits := strconv.FormatInt(n, 10)
	var grouped strings.Builder
	for i, digit := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 && digits[i-1] != '-' {
			grouped.WriteByte(',')
		}
		grouped.WriteRune(digit)
	}
	if n == 1 {
		return grouped.String() + " vote"
	}
	return grouped.String() + " votes"
}
